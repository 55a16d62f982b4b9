#include "tests/delivery/group_fixture.hpp"

// Groups at their limits: members that stand still, and messages that fail for ever.

namespace abuzz::delivery::test {
namespace {

using Word = wire::LeaseWord;

TEST_F(GroupTest, AMemberWhoseProcessTakesNothingIsGone) {
  advertise(1, "t.a");
  join(2);
  publish(1, {0});
  switch_.finish_cycle(now_);
  Switch::Outgoing next;
  ASSERT_TRUE(switch_.peek(2, next));
  switch_.mark_sent(2);  // and its process is stopped
  join(3);
  for (int round = 0; round < 10; ++round) pass(90 * base::millisecond);
  EXPECT_TRUE(take(3).empty());
  for (int round = 0; round < 4; ++round) pass(90 * base::millisecond);
  const std::vector<Message> got = take(3);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].attempt, 2);
  EXPECT_TRUE(got[0].may_repeat);
  handle(3, got[0]);
  EXPECT_EQ(of_pairs(PairCounter::delivered), 1u);
}

TEST_F(GroupTest, WhoKeepsLeasesIsNotBehind) {
  GroupWish wish;
  wish.ack_ms = 30'000;
  advertise(1, "t.a");
  join(2, wish);
  publish(1, {0});
  const std::vector<Message> got = take(2);
  EXPECT_EQ(switch_.load_of(2).unsettled, 1u);
  handle(2, got.at(0));
  EXPECT_EQ(switch_.load_of(2).unsettled, 0u);
  EXPECT_EQ(switch_.load_of(2).settled, 1u);
}

TEST_F(GroupTest, AMemberWithASlowHandlerStays) {
  advertise(1, "t.a");
  join(2);
  publish(1, {0});
  const std::vector<Message> got = take(2);  // arrived, and its handler works
  for (int round = 0; round < 100; ++round) pass(90 * base::millisecond);
  handle(2, got.at(0));
  EXPECT_EQ(of_pairs(PairCounter::delivered), 1u);
}

TEST_F(GroupTest, AMessageThatFailsForEverDoesNotFillItsPublisher) {
  GroupWish wish;
  wish.ack_ms = 30'000;
  wish.attempts_max = 1000;
  join(2, wish);
  advertise(1, "t.a");
  publish(1, {0});
  say(2, take(2).at(0), Word::nak, 3'600'000);
  struct Sink : wire::ControlSink {
    void on(const wire::Credit& item) override { seq = item.settled_seq; }
    std::uint64_t seq = 0;
  };
  const auto settled = [&] {
    Sink sink;
    wire::ControlBuilder control;
    std::vector<std::byte> scratch(wire::control_bytes_read_max);
    switch_.tell_all();
    (void)switch_.collect_control(publisher_port, control);
    EXPECT_EQ(wire::read_control(control.finish(), scratch, sink), wire::Reject::none);
    return sink.seq;
  };
  const auto publish_and_acknowledge = [&](int count) {
    for (int index = 0; index < count; ++index) {
      wire::Want want{1, next_seq_[1] + 100, 1'000'000'000};
      switch_.want(publisher_port, want);
      switch_.finish_cycle(now_);
      ASSERT_EQ(publish(1, {0}), Verdict::taken) << index;
      for (const Message& message : take(2)) ack(2, message);
    }
  };
  publish_and_acknowledge(500);
  pass(100 * base::millisecond);
  EXPECT_EQ(settled(), 0u);  // the publisher has it, should the node die
  publish_and_acknowledge(1000);
  pass(100 * base::millisecond);
  EXPECT_EQ(settled(), 1501u);
  // It is there still, and can be done.
  pass(3601 * base::second);
  const std::vector<Message> again = take(2);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].seq, 1u);
  ack(2, again[0]);
  EXPECT_EQ(of_pairs(PairCounter::delivered), 1501u);
  EXPECT_EQ(switch_.unsettled_messages(), 0u);
  expect_balance();
}

TEST_F(GroupTest, ALeaseThatIsOverBeforeItWasSentIsNotSent) {
  GroupWish wish;
  wish.ack_ms = 1000;
  advertise(1, "t.a");
  join(2, wish);
  publish(1, {0});
  switch_.finish_cycle(now_);  // dealt, and its link has no room
  pass(1100 * base::millisecond);
  EXPECT_EQ(of_group(SubscriptionCounter::lapsed), 1u);
  pass(200 * base::millisecond);
  EXPECT_TRUE(take(2).empty());  // what was over makes room
  const std::vector<Message> got = take(2);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].attempt, 2);
  ack(2, got[0]);
  EXPECT_EQ(of_pairs(PairCounter::delivered), 1u);
  expect_balance();
}

TEST_F(GroupTest, WhoHoldsAPublisherStandsInItsRow) {
  GroupWish wish;
  wish.ack_ms = 1000;
  wish.bound_messages = 8;
  join(2, wish);
  advertise(1, "t.a");
  while (publish(1, {0}) == Verdict::taken) continue;
  EXPECT_EQ(publication_row().get(PublicationCounter::holder), 0u);
  switch_.want(publisher_port, {1, 100, 1'000'000});
  switch_.finish_cycle(now_);
  wire::ControlBuilder control;
  switch_.tell_all();
  (void)switch_.collect_control(publisher_port, control);
  const StatsSnapshot snapshot = stats_->snapshot();
  const std::uint64_t holder = publication_row().get(PublicationCounter::holder);
  const auto found = std::ranges::find(snapshot.rows, holder, &RowSnapshot::index);
  ASSERT_NE(found, snapshot.rows.end());
  EXPECT_EQ(found->kind, RowKind::subscription);
  EXPECT_EQ(found->ids[0], own_port);
}

}  // namespace
}  // namespace abuzz::delivery::test
