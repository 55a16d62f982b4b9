#include "tools/ledger.hpp"

#include <gtest/gtest.h>

#include "tests/tools/counter_rows.hpp"
#include "tools/ledger_text.hpp"

namespace abuzz::tools {
namespace {

constexpr std::uint64_t shop = 7, billing = 8;
enum Row : std::size_t { process, shop_row, billing_row, stream_row, inbox_row, pair_row };

// Shop published 20 messages on orders.new: 18 sealed, 15 accepted (5 of them by an earlier node),
// 10 of those for billing: 6 handled, 2 dropped, 1 queued, 1 in flight.
Counters make_counters() {
  Counters counters;
  StatsSnapshot& node = counters.node;
  add_row(node, RowKind::process, {}, "");
  add_row(node, RowKind::agent, {shop, 4242, 1, 1}, "shop");
  add_row(node, RowKind::agent, {billing, 4243, 1, 1}, "billing");
  RowSnapshot& stream = add_row(node, RowKind::publication, {shop, 1, 1, 1}, "orders.new", "shop");
  set(stream, PublicationCounter::base, 5);
  set(stream, PublicationCounter::accepted, 15);
  set(stream, PublicationCounter::routed, 10);
  RowSnapshot& inbox =
      add_row(node, RowKind::subscription, {billing, 1}, "orders.*", "", "billing");
  set(inbox, SubscriptionCounter::queued_batches, 2);
  set(inbox, SubscriptionCounter::done_no, 6);
  set(inbox, SubscriptionCounter::delivered, 6);
  RowSnapshot& pair = add_row(node, RowKind::pair, {stream_row, inbox_row}, "orders.new");
  set(pair, PairCounter::join, 5);
  set(pair, PairCounter::matched, 10);
  set(pair, PairCounter::delivered, 6);
  set(pair, PairCounter::queued, 1);
  set(pair, PairCounter::in_flight, 1);
  set(pair, PairCounter::dropped_expired, 2);
  StatsSnapshot publisher, subscriber;
  add_row(publisher, RowKind::process, {}, "");
  RowSnapshot& own = add_row(publisher, RowKind::publication, {0, 1, 1, 1}, "orders.new");
  set(own, PublicationCounter::pushed, 20);
  set(own, PublicationCounter::last_seq, 18);
  add_row(subscriber, RowKind::process, {}, "");
  RowSnapshot& received = add_row(subscriber, RowKind::subscription, {0, 1}, "orders.*");
  set(received, SubscriptionCounter::done_no, 6);
  set(received, SubscriptionCounter::done_before, 3);
  set(received, SubscriptionCounter::finished, 8);
  set(received, SubscriptionCounter::duplicate, 1);
  counters.agents.push_back({"shop-4242", publisher});
  counters.agents.push_back({"billing-4243", subscriber});
  return counters;
}

TEST(Ledger, HasEveryTermOfAStreamAndAPair) {
  const Ledger ledger = make_ledger(make_counters());
  ASSERT_EQ(ledger.streams.size(), 1u);
  const StreamLedger& stream = ledger.streams.front();
  EXPECT_EQ(stream.published, stream.before + stream.staged() + stream.in_flight() + stream.routed +
                                  stream.no_subscriber + stream.voided);
  EXPECT_EQ(stream.staged(), 2u);
  EXPECT_EQ(stream.in_flight(), 3u);
  EXPECT_EQ(stream.agent, "shop");
  ASSERT_EQ(ledger.pairs.size(), 1u);
  EXPECT_EQ(ledger.pairs.front().name(), "orders.new of shop to orders.* of billing");
  EXPECT_EQ(describe(ledger.pairs.front().dropped), "2 expired");
  EXPECT_TRUE(ledger.imbalances.empty()) << ledger.imbalances.front().what;
}

TEST(Ledger, SaysWhyMessagesWereGivenUp) {
  Counters counters = make_counters();
  set(counters.node.rows[stream_row], PublicationCounter::routed, 8);
  set(counters.node.rows[stream_row], PublicationCounter::voided, 2);
  set(counters.node.rows[pair_row], PairCounter::dropped_expired, 0);
  set(counters.node.rows[pair_row], PairCounter::void_after_join, 2);
  const Ledger ledger = make_ledger(counters);
  EXPECT_TRUE(ledger.imbalances.empty());
  EXPECT_EQ(describe(ledger.topics.front().voided), "2 expired");
  EXPECT_EQ(describe(ledger.topics.front().voided_pairs), "2 expired");
}

TEST(Ledger, SaysWhatAPublisherLeftBehind) {
  Counters counters = make_counters();
  set(add_row(counters.node, RowKind::topic, {}, "orders.new"), TopicCounter::abandoned, 3);
  const TopicLedger topic = make_ledger(counters).topics.front();
  EXPECT_EQ(topic.published, 23u);
  EXPECT_EQ(describe(topic.voided), "3 publisher gone");
}

TEST(Ledger, SumsTopicsWithThoseThatEnded) {
  Counters counters = make_counters();
  RowSnapshot& ended = add_row(counters.node, RowKind::topic, {}, "orders.new");
  set(ended, TopicCounter::accepted, 4);
  set(ended, TopicCounter::no_subscriber, 1);
  set(ended, TopicCounter::routed, 3);
  set(ended, TopicCounter::matched, 3);
  set(ended, TopicCounter::delivered, 2);
  set(ended, TopicCounter::unknown_peer_gone, 1);
  const Ledger ledger = make_ledger(counters);
  ASSERT_EQ(ledger.topics.size(), 1u);
  const TopicLedger& topic = ledger.topics.front();
  EXPECT_EQ(topic.published, 24u);
  EXPECT_EQ(topic.held(), 5u);
  EXPECT_EQ(topic.matched, 13u);
  EXPECT_EQ(topic.delivered, 8u);
  EXPECT_EQ(topic.waiting(), 2u);
  EXPECT_EQ(topic.no_subscriber, 1u);
  EXPECT_EQ(describe(topic.unknown()), "1 peer gone");
  EXPECT_EQ(
      streams_text(topic),
      "24 published = 5 with earlier nodes + 2 staged + 3 in flight + 13 routed + 1 without a "
      "subscriber");
  EXPECT_EQ(pairs_text(topic),
            "13 matched = 8 delivered + 1 queued + 1 in flight + 2 dropped (expired) + 1 unknown "
            "(peer gone)");
  EXPECT_TRUE(ledger.imbalances.empty());
}

// What must be found, as one counter that is wrong.
struct Plant {
  const char* name;
  std::size_t row;
  std::size_t counter;
  std::uint64_t value;
  const char* where;
};

void PrintTo(const Plant& plant, std::ostream* stream) {
  *stream << plant.name;
}

class Planted : public ::testing::TestWithParam<Plant> {};

TEST_P(Planted, IsNamed) {
  Counters counters = make_counters();
  counters.node.rows[GetParam().row].counters[GetParam().counter] = GetParam().value;
  const Ledger ledger = make_ledger(counters);
  ASSERT_FALSE(ledger.imbalances.empty());
  EXPECT_EQ(ledger.imbalances.front().where, GetParam().where);
}

constexpr std::size_t at(auto id) {
  return static_cast<std::size_t>(id);
}
constexpr const char* the_pair = "orders.new of shop to orders.* of billing";
INSTANTIATE_TEST_SUITE_P(
    Ledger, Planted,
    ::testing::Values(
        Plant{"LostBatch", pair_row, at(PairCounter::queued), 0, the_pair},
        Plant{"DoubledDelivery", pair_row, at(PairCounter::delivered), 7, the_pair},
        Plant{"UncountedDrop", pair_row, at(PairCounter::dropped_expired), 1, the_pair},
        Plant{"NeverMatched", pair_row, at(PairCounter::matched), 9, the_pair},
        Plant{"NeverRouted", stream_row, at(PublicationCounter::routed), 9, "orders.new of shop"},
        Plant{"AcceptedFromNowhere", stream_row, at(PublicationCounter::accepted), 19,
              "orders.new of shop"},
        Plant{"EmptyQueue", inbox_row, at(SubscriptionCounter::queued_batches), 0,
              "orders.* of billing"},
        Plant{"SettledByNobody", inbox_row, at(SubscriptionCounter::done_no), 7,
              "orders.* of billing"},
        Plant{"DeliveredUnsettled", inbox_row, at(SubscriptionCounter::delivered), 7,
              "orders.* of billing"}),
    [](const auto& plant) { return plant.param.name; });

TEST(Ledger, AnAgentThatHandledMoreThanItSettledIsFound) {
  Counters counters = make_counters();
  set(counters.agents[1].stats.rows[1], SubscriptionCounter::finished, 9);
  EXPECT_EQ(make_ledger(counters).imbalances.front().where, "orders.* of billing");
}

TEST(Ledger, AJoinAheadOfTheStreamIsNoImbalance) {
  Counters counters = make_counters();
  RowSnapshot& pair = counters.node.rows[pair_row];
  for (std::uint64_t& counter : pair.counters) counter = 0;
  set(pair, PairCounter::join, 16);  // a long message is on its way, which is not for it
  set(counters.node.rows[inbox_row], SubscriptionCounter::queued_batches, 0);
  EXPECT_TRUE(make_ledger(counters).imbalances.empty());
}

TEST(Ledger, WithoutTheFileOfAnAgentPublishedIsWhatWasAccepted) {
  Counters counters = make_counters();
  counters.agents.clear();
  const Ledger ledger = make_ledger(counters);
  EXPECT_FALSE(ledger.streams.front().has_file);
  EXPECT_EQ(ledger.streams.front().published, 15u);
  EXPECT_TRUE(ledger.imbalances.empty());
}

TEST(Ledger, OnABusyBusOnlyTheImpossibleIsAContradiction) {
  const Ledger earlier = make_ledger(make_counters());
  Counters counters = make_counters();
  set(counters.node.rows[pair_row], PairCounter::matched, 12);  // read in the middle of it
  EXPECT_TRUE(find_contradictions(earlier, make_ledger(counters)).empty());
  Counters doubled = make_counters();
  set(doubled.node.rows[pair_row], PairCounter::delivered, 11);
  const auto found = find_contradictions(make_ledger(doubled), make_ledger(counters));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found.front().where, the_pair);
  EXPECT_EQ(found.front().what, "settled 13, but only 12 matched");
}

TEST(Ledger, TheUntoldMessagesOfAPublisherStand) {
  Counters counters = make_counters();
  counters.node.rows.erase(counters.node.rows.begin() + stream_row);
  const Ledger ledger = make_ledger(counters);
  ASSERT_EQ(ledger.streams.size(), 1u);
  EXPECT_EQ(ledger.streams.front().published, 20u);
  EXPECT_EQ(ledger.streams.front().staged(), 2u);
}

}  // namespace
}  // namespace abuzz::tools
