#include "tests/delivery/switch_fixture.hpp"

namespace abuzz::delivery::test {
namespace {

using Lines = std::vector<std::string>;

// What the switch tells the publisher, as lines.
class Told final : public wire::ControlSink {
 public:
  void on(const wire::Receipt& item) override {
    std::string line = std::to_string(item.first_seq) + "+" + std::to_string(item.count) + " " +
                       receipt_outcome_name(item.outcome);
    if (item.outcome == ReceiptOutcome::dropped)
      line += std::string(" ") + drop_reason_key(item.reason);
    if (item.delivered > 0) line += " " + std::to_string(item.delivered);
    if (item.is_partial) line += " partial";
    receipts.push_back(line);
    last_number = item.number;
  }
  void on(const wire::Drops& item) override {
    drops.push_back(std::to_string(item.count) + " " + drop_reason_key(item.reason));
  }
  void on(const wire::Outcome& item) override { outcome = item; }

  Lines receipts, drops;
  wire::Outcome outcome;
  std::uint64_t last_number = 0;
};

class SwitchReceipts : public SwitchTest {
 protected:
  Told told() {
    Told told;
    wire::ControlBuilder control;
    std::vector<std::byte> scratch(wire::control_bytes_read_max);
    while (switch_.collect_control(publisher_port, control))
      EXPECT_EQ(wire::read_control(control.finish(), scratch, told), wire::Reject::none);
    return told;
  }
  Lines receipts() { return told().receipts; }
  Verdict publish_asking(std::size_t count, std::uint32_t ttl_ms = 0) {
    asks_receipts_ = true;
    const Verdict verdict = publish(1, std::vector<std::uint64_t>(count, 0), 16, ttl_ms);
    asks_receipts_ = false;
    return verdict;
  }
};

TEST_F(SwitchReceipts, ABatchThatDoesNotAskGetsNone) {
  advertise(1, "t.a");
  publish(1, {0, 0});
  EXPECT_EQ(receipts(), Lines{});
  EXPECT_EQ(publication_row().get(PublicationCounter::receipts_asked), 0u);
}

TEST_F(SwitchReceipts, NobodyThereIsToldAtOnce) {
  advertise(1, "t.a");
  publish_asking(2);
  EXPECT_EQ(receipts(), (Lines{"1+2 no_subscriber"}));
}

TEST_F(SwitchReceipts, DeliveredIsToldWhenAllHaveHandledIt) {
  advertise(1, "t.a");
  subscribe({.handle = 1});
  subscribe({.handle = 2});
  publish_asking(3);
  EXPECT_EQ(send().size(), 6u);
  settle(1);
  EXPECT_EQ(receipts(), Lines{});
  settle(2);
  EXPECT_EQ(receipts(), (Lines{"1+3 delivered 2"}));
  EXPECT_EQ(publication_row().get(PublicationCounter::receipts_asked), 3u);
  EXPECT_EQ(publication_row().get(PublicationCounter::receipts_settled), 3u);
}

TEST_F(SwitchReceipts, WhatAQueueHasNoRoomForIsDroppedWithItsReason) {
  advertise(1, "t.a");
  subscribe({.policy = Policy::drop_new, .bound_messages = 3});
  publish_asking(5);
  EXPECT_EQ(receipts(), (Lines{"4+2 dropped queue_full"}));
  send();
  settle();
  EXPECT_EQ(receipts(), (Lines{"1+3 delivered 1"}));
  expect_balance();
}

TEST_F(SwitchReceipts, TheOldestThatMakeRoomAreDropped) {
  advertise(1, "t.a");
  subscribe({.policy = Policy::drop_old, .bound_messages = 3});
  publish_asking(2);
  publish_asking(2);
  EXPECT_EQ(receipts(), (Lines{"1+1 dropped queue_full"}));
  publish_asking(5);
  EXPECT_EQ(receipts(), (Lines{"5+2 dropped queue_full", "2+3 dropped queue_full"}));
  send();
  settle();
  EXPECT_EQ(receipts(), (Lines{"7+3 delivered 1"}));
}

TEST_F(SwitchReceipts, WhatWasReplacedIsConflated) {
  advertise(1, "t.a");
  subscribe({.policy = Policy::latest, .latest = 1});
  publish_asking(3);
  publish_asking(1);
  EXPECT_EQ(receipts(), (Lines{"1+3 dropped conflated"}));
}

TEST_F(SwitchReceipts, WhatOneGotAndAnotherDidNotIsPartlyDelivered) {
  advertise(1, "t.a");
  subscribe({.handle = 1});
  subscribe({.handle = 2, .policy = Policy::drop_new, .bound_messages = 1});
  publish_asking(2);
  send();
  settle(1);
  settle(2);
  EXPECT_EQ(receipts(), (Lines{"2+1 delivered 1 partial", "1+1 delivered 2"}));
}

TEST_F(SwitchReceipts, WhatADeadSubscriberHadIsUnknownAndWhatWaitedForItIsDropped) {
  advertise(1, "t.a");
  subscribe({.window_messages = 2});
  publish_asking(2);
  publish_asking(1);
  EXPECT_EQ(send().size(), 2u);
  switch_.close_port(subscriber_port, DropReason::peer_gone);
  EXPECT_EQ(receipts(), (Lines{"1+2 unknown", "3+1 dropped peer_gone"}));
  const RowSnapshot row = publication_row();
  EXPECT_EQ(row.get(PublicationCounter::unknown_outcome), 2u);
  EXPECT_EQ(row.get(PublicationCounter::dropped), 1u);
}

TEST_F(SwitchReceipts, WhatASubscriberRefusedIsCorrupt) {
  advertise(1, "t.a");
  subscribe({});
  publish_asking(3);
  send();
  wire::Verdict verdict;
  verdict.subscription = 1;
  verdict.reason = number(Error::bad_batch);
  verdict.first_delivery = 2;
  verdict.count = 1;
  EXPECT_TRUE(switch_.refuse(subscriber_port, verdict));
  settle();
  EXPECT_EQ(receipts(), (Lines{"2+1 dropped corrupt", "1+1 delivered 1", "3+1 delivered 1"}));
}

TEST_F(SwitchReceipts, OfWhatASubscriberPassedOverNobodyKnowsWhetherItWasHandled) {
  advertise(1, "t.a");
  subscribe({});
  publish_asking(3);
  send();
  wire::Verdict verdict;
  verdict.subscription = 1;
  verdict.reason = wire::verdict_passed_over;
  verdict.first_delivery = 1;
  verdict.count = 2;
  EXPECT_TRUE(switch_.refuse(subscriber_port, verdict));
  settle();
  EXPECT_EQ(receipts(), (Lines{"1+2 unknown", "3+1 delivered 1"}));
  EXPECT_EQ(publication_row().get(PublicationCounter::delivered), 1u);
  EXPECT_EQ(publication_row().get(PublicationCounter::unknown_outcome), 2u);
  expect_balance();
}

TEST_F(SwitchReceipts, WhatExpiresInAQueueIsToldAsExpired) {
  advertise(1, "t.a");
  subscribe({});
  publish_asking(2, 10);
  now_ += base::second;
  switch_.do_timers(now_);
  EXPECT_EQ(receipts(), (Lines{"1+2 dropped expired"}));
}

TEST_F(SwitchReceipts, AChunkTrainIsOneMessage) {
  advertise(1, "t.a");
  subscribe({});
  asks_receipts_ = true;
  publish_train(1, 3, 3);
  EXPECT_EQ(receipts(), Lines{});
  send();
  settle();
  EXPECT_EQ(receipts(), (Lines{"1+1 delivered 1"}));
}

TEST_F(SwitchReceipts, ATrainThatBeganBeforeItsOnlySubscriberFoundNone) {
  advertise(1, "t.a");
  asks_receipts_ = true;
  publish_train(1, 3, 2);
  subscribe({});
  ASSERT_EQ(publish(1, {0}, 1024, 0, {2, 3, 3 * 1024}), Verdict::taken);
  EXPECT_EQ(receipts(), (Lines{"1+1 no_subscriber"}));
  expect_balance();
}

TEST_F(SwitchReceipts, WhatWasNotConfirmedIsToldAgainOnTheNextLink) {
  advertise(1, "t.a");
  publish_asking(1);
  const Told first = told();
  EXPECT_EQ(first.receipts.size(), 1u);
  switch_.suspend_port(publisher_port, now_);
  switch_.open_port(publisher_port);
  advertise(1, "t.a");
  EXPECT_EQ(receipts(), (Lines{"1+1 no_subscriber"}));
  switch_.ask_flush(publisher_port, {1, 0, first.last_number});
  switch_.suspend_port(publisher_port, now_);
  switch_.open_port(publisher_port);
  advertise(1, "t.a");
  EXPECT_EQ(receipts(), Lines{});
}

TEST_F(SwitchReceipts, APublisherThatTakesNoReceiptsGetsNoCredit) {
  advertise(1, "t.a");
  std::uint64_t taken = 0;
  while (taken < 100'000 && publish_asking(1) == Verdict::taken &&
         publish(1, {0}) == Verdict::taken) {
    ++taken;
    (void)told();
  }
  EXPECT_LT(taken, 100'000u);
  EXPECT_EQ(publish(1, {0}), Verdict::over_limit);
  switch_.ask_flush(publisher_port, {1, 0, taken});
  EXPECT_EQ(publish(1, {0}), Verdict::taken);
}

TEST_F(SwitchReceipts, OutcomesAreDroppedByReason) {
  advertise(1, "t.a");
  subscribe({.policy = Policy::drop_new, .bound_messages = 3});
  publish(1, std::vector<std::uint64_t>(5, 0), 16, 10);
  send(1);
  switch_.close_port(subscriber_port, DropReason::shutdown);
  const Told outcome = told();
  EXPECT_EQ(outcome.outcome.dropped, 5u);
  EXPECT_EQ(outcome.drops, (Lines{"2 queue_full", "3 shutdown"}));
}

}  // namespace
}  // namespace abuzz::delivery::test
