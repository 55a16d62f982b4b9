#include "bus/delivery/closed_totals.hpp"

#include "tests/delivery/switch_fixture.hpp"

// What the counter file still says of those that ended.

namespace abuzz::delivery::test {
namespace {

class ClosedTotalsTest : public SwitchTest {
 protected:
  template <class Id>
  std::uint64_t closed(Id id) const {
    return row_of(RowKind::topic, 0).get(id);
  }
  std::uint64_t left_over() const {
    return closed(TopicCounter::queued) + closed(TopicCounter::in_flight);
  }
};

TEST_F(ClosedTotalsTest, ADeathLeavesUnknownOnlyOfWhatWasInFlight) {
  advertise(1, "t.a");
  subscribe({});
  publish(1, {0, 0, 0});
  publish(1, {0, 0});
  publish(1, {0, 0, 0, 0});
  send(2);
  settle(1, 1);
  switch_.close_port(subscriber_port, DropReason::peer_gone);
  EXPECT_EQ(closed(TopicCounter::matched), 9u);
  EXPECT_EQ(closed(TopicCounter::delivered), 3u);
  EXPECT_EQ(closed(TopicCounter::unknown_peer_gone), 2u);
  EXPECT_EQ(closed(TopicCounter::dropped_peer_gone), 4u);
  EXPECT_EQ(left_over(), 0u);
}

TEST_F(ClosedTotalsTest, WhoSaidGoodbyeLeavesNothingUnknown) {
  advertise(1, "t.a");
  subscribe({});
  publish(1, {0, 0, 0});
  send();
  switch_.note_goodbye(subscriber_port);
  switch_.close_port(subscriber_port, DropReason::peer_gone);
  EXPECT_EQ(closed(TopicCounter::unknown_peer_gone), 0u);
  EXPECT_EQ(closed(TopicCounter::dropped_peer_gone), 3u);
  EXPECT_EQ(row_of(RowKind::departed, 0).kind, RowKind::free);
}

TEST_F(ClosedTotalsTest, NamesWhoIsGone) {
  switch_.open_port(subscriber_port, "billing");
  advertise(1, "t.a");
  subscribe({});
  publish(1, {0, 0, 0});
  send();
  switch_.close_port(subscriber_port, DropReason::peer_gone);
  const RowSnapshot row = row_of(RowKind::departed, 0);
  EXPECT_EQ(row.text, "t.*");
  EXPECT_EQ(row.text2, "billing");
  EXPECT_EQ(row.get(DepartedCounter::unknown), 3u);
  EXPECT_EQ(row.get(DepartedCounter::stalled), 0u);
}

TEST_F(ClosedTotalsTest, RemembersOnlyTheLatest) {
  for (std::size_t i = 0; i < ClosedTotals::departed_max + 5; ++i) {
    switch_.open_port(subscriber_port, "agent-" + std::to_string(i));
    subscribe({});
    switch_.close_port(subscriber_port, DropReason::peer_gone);
  }
  const StatsSnapshot snapshot = stats_->snapshot();
  std::size_t count = 0;
  for (const RowSnapshot& row : snapshot.rows) {
    if (row.kind != RowKind::departed) continue;
    ++count;
    EXPECT_NE(row.text2, "agent-4");
  }
  EXPECT_EQ(count, ClosedTotals::departed_max);
}

TEST_F(ClosedTotalsTest, AStreamThatEndedKeepsItsTerms) {
  advertise(1, "t.a");
  publish(1, {0, 0});
  subscribe({});
  publish(1, {0, 0, 0});
  send();
  settle();
  switch_.withdraw(publisher_port, 1);
  EXPECT_EQ(closed(TopicCounter::publications), 1u);
  EXPECT_EQ(publication_row().kind, RowKind::free);
  EXPECT_EQ(closed(TopicCounter::accepted), 5u);
  EXPECT_EQ(closed(TopicCounter::no_subscriber), 2u);
  EXPECT_EQ(closed(TopicCounter::routed), 3u);
  EXPECT_EQ(closed(TopicCounter::matched), 3u);
  EXPECT_EQ(closed(TopicCounter::delivered), 3u);
}

TEST_F(ClosedTotalsTest, AStreamThatEndedSaysSoWhileItsMessagesAreOnTheirWay) {
  advertise(1, "t.a");
  subscribe({});
  publish(1, {0});
  EXPECT_EQ(publication_row().ids[3], 1u);
  switch_.withdraw(publisher_port, 1);
  EXPECT_EQ(publication_row().kind, RowKind::publication);
  EXPECT_EQ(publication_row().ids[3], 0u);
}

TEST_F(ClosedTotalsTest, AMessageThatBeganBeforeTheSubscriptionIsNotMissedWhenItIsGivenUp) {
  advertise(1, "t.a");
  publish_train(1, 3, 1);
  subscribe({});
  wire::Record record;
  record.handle = 1;
  ASSERT_EQ(switch_.accept_abort(publisher_port, record), Verdict::taken);
  publish(1, {0});
  expect_balance();
}

TEST(ClosedTotals, TopicsBeyondTheBoundShareOneRow) {
  const auto stats = StatsFile::create("", {}, 2 * ClosedTotals::topics_max).value();
  ClosedTotals totals(*stats);
  StatsRow* pair = stats->add_row(RowKind::pair, {}, "");
  pair->add(PairCounter::matched, 2);
  for (std::size_t i = 0; i < ClosedTotals::topics_max + 7; ++i)
    totals.add_pair("t." + std::to_string(i), *pair);
  totals.add_pair("t.0", *pair);
  std::uint64_t rows = 0, matched = 0, others = 0;
  const StatsSnapshot snapshot = stats->snapshot();
  for (const RowSnapshot& row : snapshot.rows) {
    if (row.kind != RowKind::topic) continue;
    ++rows;
    matched += row.get(TopicCounter::matched);
    if (row.text.empty()) others = row.get(TopicCounter::pairs);
  }
  EXPECT_EQ(rows, ClosedTotals::topics_max + 1);
  EXPECT_EQ(matched, 2 * (ClosedTotals::topics_max + 8));
  EXPECT_EQ(others, 7u);
}

}  // namespace
}  // namespace abuzz::delivery::test
