#include "tools/own_counters.hpp"

#include <gtest/gtest.h>

#include <map>

#include "tests/tools/counter_rows.hpp"

namespace abuzz::tools {
namespace {

using Pub = PublicationCounter;
using Sub = SubscriptionCounter;

std::vector<CounterDescription> described_counters() {
  std::vector<CounterDescription> described;
  for (const CounterInfo& info : counter_table()) {
    described.push_back({info.kind, info.id, info.label, info.unit, info.is_gauge});
  }
  return described;
}

// A shop that has published 12 messages, of which the node has accepted 10; it hears its own.
Counters make_counters() {
  Counters counters;
  counters.node.counters = described_counters();
  add_row(counters.node, RowKind::process, {}, "");
  add_row(counters.node, RowKind::agent, {7, 4242, 1, 1}, "shop");
  set(add_row(counters.node, RowKind::publication, {7, 1, 3, 1}, "orders"), Pub::accepted, 10);
  set(add_row(counters.node, RowKind::subscription, {7, 1}, "orders"), Sub::delivered, 8);
  StatsSnapshot own;
  add_row(own, RowKind::process, {}, "");
  RowSnapshot& ended = add_row(own, RowKind::publication, {0, 1, 2, 0}, "orders");
  set(ended, Pub::pushed, 99);
  RowSnapshot& publication = add_row(own, RowKind::publication, {0, 1, 3, 0}, "orders");
  set(publication, Pub::pushed, 12);
  set(publication, Pub::refused_back_pressured, 2);
  set(add_row(own, RowKind::subscription, {0, 1}, "orders"), Sub::finished, 9);
  counters.agents.push_back({"shop-4242", own});
  return counters;
}

std::map<std::string, std::uint64_t> known_of(const Counters& counters, std::size_t row) {
  const RowSnapshot& of_node = counters.node.rows[row];
  std::map<std::string, std::uint64_t> known;
  for (const KnownCounter& counter :
       known_counters(counters.node, of_node, AgentFiles(counters).own_row(of_node))) {
    known[counter.key] = counter.value;
  }
  return known;
}

TEST(OwnCounters, ComeFromTheFileOfTheAgent) {
  const Counters counters = make_counters();
  const auto publication = known_of(counters, 2);
  EXPECT_EQ(publication.at("pushed"), 12u);
  EXPECT_EQ(publication.at("refused_back_pressured"), 2u);
  EXPECT_EQ(publication.at("accepted"), 10u);
  const auto subscription = known_of(counters, 3);
  EXPECT_EQ(subscription.at("finished"), 9u);
  EXPECT_EQ(subscription.at("delivered"), 8u);
}

TEST(OwnCounters, AreLeftOutWithoutTheFile) {
  Counters counters = make_counters();
  counters.agents.clear();
  const auto publication = known_of(counters, 2);
  EXPECT_FALSE(publication.contains("pushed"));
  EXPECT_FALSE(publication.contains("refused_back_pressured"));
  EXPECT_EQ(publication.at("accepted"), 10u);
  const auto subscription = known_of(counters, 3);
  EXPECT_FALSE(subscription.contains("received"));
  EXPECT_FALSE(subscription.contains("finished"));
}

TEST(OwnCounters, OfAPatternThatStandsTwiceAreLeftOut) {
  Counters counters = make_counters();
  add_row(counters.agents.front().stats, RowKind::subscription, {0, 2}, "orders");
  EXPECT_FALSE(known_of(counters, 3).contains("finished"));
}

TEST(OwnCounters, ThatNobodyCountsAreNotThere) {
  const Counters counters = make_counters();
  EXPECT_FALSE(known_of(counters, 2).contains("held_ns"));
  EXPECT_FALSE(known_of(counters, 3).contains("started"));
}

TEST(OwnCounters, OfANewerNodeHaveTheLabelOfItsFile) {
  Counters counters = make_counters();
  counters.node.counters.push_back({RowKind::publication, 39, "of tomorrow", "messages", false});
  set(counters.node.rows[2], 39, 5);
  const auto known = known_counters(counters.node, counters.node.rows[2], nullptr);
  EXPECT_EQ(known.back().key, "counter_39");
  EXPECT_EQ(known.back().label, "of tomorrow");
  EXPECT_EQ(known.back().value, 5u);
}

}  // namespace
}  // namespace abuzz::tools
