#include "tests/tools/path_fixture.hpp"

// What a queue loses, who is slow, and who holds whom.

namespace abuzz::tools {
namespace {

using PathQueueTest = PathTest;

TEST_F(PathQueueTest, ASlowHandlerThatHoldsItsPublisher) {
  let_wait(20);
  EXPECT_EQ(first().cause, Cause::slow_handler);
  EXPECT_EQ(first().text, "the handler of agent billing is slow: 20 messages wait for it");
  let_publisher_wait();
  EXPECT_EQ(first().cause, Cause::slow_handler);
  EXPECT_NE(first().text.find("it holds publisher shop"), std::string::npos);
}

TEST_F(PathQueueTest, WhoIsQuickIsNotSlow) {
  let_wait(20);
  keep_earlier();
  set(row(inbox_row), SubscriptionCounter::done_no, 30);
  EXPECT_FALSE(explain().is_broken());
}

TEST_F(PathQueueTest, AnotherSubscriptionHoldsThePublisher) {
  let_wait(20);
  let_publisher_wait();
  stopped_ = billing_pid;
  add_row(later_.node, RowKind::agent, {9, 4244, 1, 1}, "archive");
  RowSnapshot& inbox =
      add_row(later_.node, RowKind::subscription, {9, 1}, "orders.>", "", "archive");
  add_row(later_.node, RowKind::pair, {stream_row, inbox.index}, "orders.new");
  const Path path = first("", "archive");
  EXPECT_EQ(path.cause, Cause::lossless_hold);
  EXPECT_EQ(path.text,
            "publisher shop is held by agent billing, whose subscription orders.* is lossless and "
            "which is stopped (SIGSTOP)");
  EXPECT_EQ(first("", "billing").cause, Cause::subscriber_stopped);
}

TEST_F(PathQueueTest, WhatQueuesLose) {
  keep_earlier();
  set(row(pair_row), PairCounter::dropped_conflated, 3);
  EXPECT_EQ(first().cause, Cause::conflated);
  set(row(pair_row), PairCounter::dropped_expired, 4);
  EXPECT_EQ(first().cause, Cause::expired);
  set(row(pair_row), PairCounter::dropped_queue_full, 5);
  EXPECT_EQ(first().cause, Cause::queue_full);
  EXPECT_NE(first().text.find("5 queue full, 3 conflated, 4 expired"), std::string::npos);
  set(row(pair_row), PairCounter::dropped_corrupt, 6);
  EXPECT_EQ(first().cause, Cause::refused);
}

TEST_F(PathQueueTest, WhatExpiresBeforeItIsSent) {
  keep_earlier();
  set(row(stream_row), PublicationCounter::voided, 2);
  EXPECT_EQ(first().cause, Cause::expired);
}

TEST_F(PathQueueTest, WhatWasLostBeforeIsToldOfAWholePath) {
  set(row(pair_row), PairCounter::dropped_queue_full, 5);
  set(row(stream_row), PublicationCounter::voided, 2);
  EXPECT_FALSE(explain().is_broken());
  EXPECT_EQ(first().text, "10 messages delivered");
  EXPECT_EQ(first().detail, "dropped some time ago: 5 queue full, 2 expired, of 10 messages");
}

TEST_F(PathQueueTest, ALossOfBeforeDoesNotHideASlowHandler) {
  set(row(pair_row), PairCounter::dropped_expired, 5);
  let_wait(20);
  EXPECT_EQ(first().cause, Cause::slow_handler);
  EXPECT_EQ(first().detail, "dropped some time ago: 5 expired, of 10 messages");
}

TEST_F(PathQueueTest, AQueueThatIsStillFullDropsTheNextOneToo) {
  set(row(inbox_row), SubscriptionCounter::policy, 1);
  set(row(pair_row), PairCounter::dropped_queue_full, 5);
  let_wait(20);
  EXPECT_EQ(first().cause, Cause::queue_full);
  EXPECT_EQ(first().text,
            "the queue of agent billing is full: dropped 5 queue full, and its "
            "handler does not keep up");
}

TEST_F(PathQueueTest, ADeadLetterIsAFaultAsLongAsItIsKept) {
  set(row(pair_row), PairCounter::dropped_dead, 1);
  EXPECT_FALSE(explain().is_broken());
  set(row(process), ProcessCounter::dead_letters, 1);
  EXPECT_EQ(first().cause, Cause::dead_lettered);
}

TEST_F(PathQueueTest, AHeldPublisherOfAnotherLaneIsSeenThoughTheQueueMoves) {
  let_wait(20);
  let_publisher_wait();
  keep_earlier();
  set(row(inbox_row), SubscriptionCounter::done_no, 100);
  EXPECT_EQ(first().cause, Cause::slow_handler);
  EXPECT_NE(first().text.find("it holds publisher shop"), std::string::npos);
}

TEST_F(PathQueueTest, APublisherWhoseMessagesGoOnIsNotHeld) {
  let_wait(20);
  let_publisher_wait();
  keep_earlier();
  set(row(inbox_row), SubscriptionCounter::done_no, 1000);
  set(row(stream_row), PublicationCounter::accepted, 1000);
  set(later_.agents[0].stats.rows[1], PublicationCounter::last_seq, 1000);
  set(later_.agents[0].stats.rows[1], PublicationCounter::pushed, 1020);
  EXPECT_FALSE(explain().is_broken());
}

}  // namespace
}  // namespace abuzz::tools
