#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "bus/stats.hpp"
#include "tests/vocabulary/enumerators.hpp"

namespace abuzz {
namespace {

template <class Counter>
void expect_described(RowKind kind, std::size_t first) {
  const auto names = testing::enumerator_names<Counter, row_counters_max + 1>();
  const auto table = counter_table();
  ASSERT_TRUE(names[row_counters_max].empty()) << "more counters than a row holds";
  std::size_t count = 0;
  for (std::size_t id = 0; id < row_counters_max; ++id) {
    const auto found = std::ranges::find_if(
        table, [&](const CounterInfo& info) { return info.kind == kind && info.id == id; });
    EXPECT_EQ(found != table.end(), !names[id].empty()) << "id " << id << " " << names[id];
    if (names[id].empty()) continue;
    EXPECT_EQ(static_cast<std::size_t>(found - table.begin()), first + id) << names[id];
    EXPECT_EQ(found->key, names[id]);
    ++count;
  }
  EXPECT_GE(count, 5u);
}

TEST(CounterTable, DescribesEveryEnumerator) {
  const auto first_of = [](RowKind kind) {
    const auto found = std::ranges::find(counter_table(), kind, &CounterInfo::kind);
    return static_cast<std::size_t>(found - counter_table().begin());
  };
  expect_described<ProcessCounter>(RowKind::process, first_of(RowKind::process));
  expect_described<AgentCounter>(RowKind::agent, first_of(RowKind::agent));
  expect_described<PublicationCounter>(RowKind::publication, first_of(RowKind::publication));
  expect_described<SubscriptionCounter>(RowKind::subscription, first_of(RowKind::subscription));
  expect_described<PairCounter>(RowKind::pair, first_of(RowKind::pair));
  expect_described<TopicCounter>(RowKind::topic, first_of(RowKind::topic));
  expect_described<DepartedCounter>(RowKind::departed, first_of(RowKind::departed));
  expect_described<ThreadCounter>(RowKind::thread, first_of(RowKind::thread));
}

TEST(CounterTable, UsesHumanWordsOnceForEachKind) {
  std::map<std::pair<RowKind, std::string>, int> seen;
  for (const CounterInfo& info : counter_table()) {
    const std::string label = info.label;
    EXPECT_EQ(label.find('_'), std::string::npos) << label;
    EXPECT_FALSE(label.empty());
    EXPECT_FALSE(std::string(info.unit).empty()) << label;
    EXPECT_EQ(++seen[std::pair(info.kind, label)], 1) << label;
  }
}

TEST(CounterTable, NamesEveryPeerState) {
  for (std::uint64_t state = 0; state <= static_cast<std::uint64_t>(PeerState::busy); ++state) {
    EXPECT_STRNE(peer_state_name(static_cast<PeerState>(state)), "unknown");
  }
  EXPECT_STREQ(peer_state_name(PeerState::stalled), "stalled");
  EXPECT_STREQ(peer_state_name(static_cast<PeerState>(77)), "unknown");
}

}  // namespace
}  // namespace abuzz
