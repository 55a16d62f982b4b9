#include "tests/api/api_fixture.hpp"

// Receipts through the public headers, over real sockets.

namespace abuzz {
namespace {

const Handler ignore = [](const MessageView&) {};
constexpr MessageOptions asking{.receipt = true};

class Receipts : public Api {
 protected:
  Receipts() : writer_(std::nullopt) {}
  Publisher open(const std::string& topic) {
    if (!writer_) writer_.emplace(connect("writer"));
    return writer_->publisher(topic).value();
  }
  // Publishes one message; what became of it.
  static Receipt told(Publisher& publisher, std::string_view text = "x") {
    EXPECT_EQ(publisher.publish(text, 5s, asking), SendStatus::queued);
    return publisher.await_receipt(publisher.last_sequence(), 10s);
  }

  std::optional<Agent> writer_;
};

TEST_F(Receipts, NobodyThereIsToldByReceiptAndByFlush) {
  Publisher publisher = open("a.b");
  const Receipt receipt = told(publisher);
  EXPECT_EQ(receipt.outcome, ReceiptOutcome::no_subscriber);
  EXPECT_EQ(publisher.receipt(1).outcome, ReceiptOutcome::no_subscriber);
  EXPECT_EQ(publisher.retry(1).outcome, ReceiptOutcome::no_subscriber);
  const FlushReport report = publisher.flush(10s);
  EXPECT_EQ(report.no_subscriber, 1u);
  EXPECT_EQ(report.delivered + report.dropped + report.pending + report.unknown, 0u);
}

TEST_F(Receipts, DeliveredSaysHowManySubscriptionsHandledIt) {
  Agent reader = connect("reader");
  const Subscription first = reader.subscribe("a.*", ignore).value();
  const Subscription second = reader.subscribe("a.b", ignore).value();
  Publisher publisher = open("a.b");
  const Receipt receipt = told(publisher);
  EXPECT_EQ(receipt.outcome, ReceiptOutcome::delivered);
  EXPECT_EQ(receipt.delivered_count, 2u);
  EXPECT_FALSE(receipt.is_partial);
  // Also where it travels in chunks.
  EXPECT_EQ(told(publisher, std::string(300'000, 'x')).delivered_count, 2u);
}

TEST_F(Receipts, WhatWasNotHandledYetIsPendingAndWhatDidNotAskIsOutside) {
  Agent reader = connect("reader");
  Subscription inbox = reader.subscribe("a.b").value();
  Publisher publisher = open("a.b");
  ASSERT_EQ(publisher.publish("x", 5s), SendStatus::queued);
  ASSERT_EQ(publisher.publish("x", 5s, asking), SendStatus::queued);
  EXPECT_EQ(publisher.receipt(1).outcome, ReceiptOutcome::outside_window);
  EXPECT_EQ(publisher.receipt(2).outcome, ReceiptOutcome::pending);
  EXPECT_EQ(publisher.receipt(3).outcome, ReceiptOutcome::outside_window);
  EXPECT_EQ(publisher.await_receipt(2, 100ms).outcome, ReceiptOutcome::pending);
  EXPECT_EQ(publisher.retry(2).outcome, ReceiptOutcome::pending);
  std::uint64_t seen = 0;
  while (seen < 2) seen += inbox.poll(ignore, 10, 5s);
  EXPECT_EQ(publisher.await_receipt(2, 10s).outcome, ReceiptOutcome::delivered);
}

TEST_F(Receipts, WhatAQueueDroppedHasItsReasonByReceiptAndByFlush) {
  Agent reader = connect("reader");
  SubscribeOptions options;
  options.policy = Policy::latest;
  options.latest_messages = 1;
  Subscription inbox = reader.subscribe("a.b", options).value();
  Publisher publisher = open("a.b");
  for (int sent = 0; sent < 50; ++sent)
    ASSERT_EQ(publisher.publish("x", 5s, asking), SendStatus::queued);
  const Receipt receipt = publisher.await_receipt(25, 10s);
  EXPECT_EQ(receipt.outcome, ReceiptOutcome::dropped);
  EXPECT_EQ(receipt.reason, DropReason::conflated);
  std::uint64_t seen = 0;
  while (publisher.flush(10ms).pending > 0) seen += inbox.poll(ignore, 10, 10ms);
  const FlushReport report = publisher.report();
  EXPECT_EQ(report.delivered, seen);
  EXPECT_EQ(report.dropped, 50 - seen);
  EXPECT_EQ(report.dropped_for(DropReason::conflated), report.dropped);
  EXPECT_EQ(writer_->flush(10s).dropped_for(DropReason::conflated), report.dropped);
}

TEST_F(Receipts, APublisherInAHandlerMayWaitForOne) {
  Agent reader = connect("reader");
  const Subscription inbox = reader.subscribe("second", ignore).value();
  Publisher second = open("second");
  Receipt receipt;
  const Subscription chain =
      writer_->subscribe("first", [&](const MessageView&) { receipt = told(second); }).value();
  Publisher first = open("first");
  EXPECT_EQ(told(first).outcome, ReceiptOutcome::delivered);
  EXPECT_EQ(receipt.outcome, ReceiptOutcome::delivered);
}

TEST_F(Receipts, ManyAreAllTold) {
  Agent reader = connect("reader");
  const Subscription inbox = reader.subscribe("a.b", ignore).value();
  Publisher publisher = open("a.b");
  constexpr std::uint64_t count = 20'000;
  for (std::uint64_t sent = 0; sent < count; ++sent)
    ASSERT_EQ(publisher.publish("x", 10s, asking), SendStatus::queued);
  for (std::uint64_t seq = count; seq > 0; --seq)
    ASSERT_EQ(publisher.await_receipt(seq, 10s).outcome, ReceiptOutcome::delivered) << seq;
}

TEST_F(Receipts, WithoutANodeTheyArePendingAndAfterItsLossUnknownOrLearnt) {
  Agent reader = connect("reader");
  Subscription inbox = reader.subscribe("a.b").value();
  Publisher publisher = open("a.b");
  ASSERT_EQ(publisher.publish("x", 5s, asking), SendStatus::queued);
  EXPECT_EQ(publisher.await_receipt(1, 300ms).outcome, ReceiptOutcome::pending);
  // It stops before the message is handled.
  node_.reset();
  ASSERT_EQ(publisher.publish("y", 5s, asking), SendStatus::queued);
  EXPECT_EQ(publisher.receipt(2).outcome, ReceiptOutcome::pending);
  node_.emplace(Node::start(config_).value());
  EXPECT_NE(publisher.await_receipt(1, 20s).outcome, ReceiptOutcome::pending);
  std::uint64_t seen = 0;
  while (seen < 2) seen += inbox.poll(ignore, 10, 5s);
  EXPECT_EQ(publisher.await_receipt(2, 20s).outcome, ReceiptOutcome::delivered);
}

TEST_F(Receipts, AMovedPublisherAnswersOutside) {
  Publisher publisher = open("a.b");
  (void)told(publisher);
  const Publisher other = std::move(publisher);
  EXPECT_EQ(publisher.receipt(1).outcome, ReceiptOutcome::outside_window);
  EXPECT_EQ(publisher.await_receipt(1, 1s).outcome, ReceiptOutcome::outside_window);
  EXPECT_EQ(publisher.retry(1).outcome, ReceiptOutcome::outside_window);
  EXPECT_EQ(other.receipt(1).outcome, ReceiptOutcome::no_subscriber);
}

}  // namespace
}  // namespace abuzz
