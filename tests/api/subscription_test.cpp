#include "bus/subscription.hpp"

#include <atomic>

#include "tests/api/api_fixture.hpp"

// How subscriptions end, and what that does to the messages that had arrived.

namespace abuzz {
namespace {

// Publishes `count` messages so that they reach the subscriber together: its handler waits for
// the gate in front of the first one.
void publish_all(Publisher& publisher, int count) {
  for (int index = 0; index < count; ++index)
    ASSERT_EQ(publisher.publish("x", 5s), SendStatus::queued);
}

TEST_F(Api, AHandlerThatEndsItsSubscriptionDeliveredWhatItHandled) {
  Agent agent = connect("one");
  std::optional<Subscription> inbox;
  std::atomic<bool> is_open{false};
  std::atomic<int> handled{0};
  inbox.emplace(agent
                    .subscribe("short.life",
                               [&](const MessageView&) {
                                 while (!is_open) std::this_thread::yield();
                                 if (++handled == 30) inbox.reset();
                               })
                    .value());
  Publisher publisher = agent.publisher("short.life").value();
  publish_all(publisher, 100);
  is_open = true;
  const FlushReport report = publisher.flush(5s);
  EXPECT_EQ(handled, 30);
  EXPECT_EQ(report.delivered, 30u);
  EXPECT_EQ(report.dropped + report.no_subscriber, 70u);
  EXPECT_EQ(report.pending, 0u);
}

TEST_F(Api, ASubscriptionEndedFromOutsideDeliveredWhatItHandled) {
  Agent agent = connect("one");
  std::optional<Subscription> inbox;
  std::atomic<bool> is_ending{false};
  std::atomic<std::uint64_t> handled{0};
  inbox.emplace(agent
                    .subscribe("short.life",
                               [&](const MessageView&) {
                                 if (++handled == 30) {
                                   is_ending = true;
                                   std::this_thread::sleep_for(50ms);
                                 }
                               })
                    .value());
  Publisher publisher = agent.publisher("short.life").value();
  publish_all(publisher, 100);
  while (!is_ending) std::this_thread::yield();
  inbox.reset();
  const FlushReport report = publisher.flush(5s);
  EXPECT_EQ(report.delivered, handled);
  EXPECT_EQ(report.delivered + report.dropped + report.no_subscriber, 100u);
}

TEST_F(Api, APolledSubscriptionThatEndsDeliveredWhatWasPolled) {
  Agent agent = connect("one");
  std::optional<Subscription> inbox(agent.subscribe("short.life").value());
  Publisher publisher = agent.publisher("short.life").value();
  publish_all(publisher, 100);
  std::size_t polled = 0;
  while (polled < 30) polled += inbox->poll([](const MessageView&) {}, 30 - polled, 5s);
  inbox.reset();
  const FlushReport report = publisher.flush(5s);
  EXPECT_EQ(report.delivered, 30u);
  EXPECT_EQ(report.dropped + report.no_subscriber, 70u);
}

TEST_F(Api, APolledSubscriptionMayEndInsideItsPoll) {
  Agent agent = connect("one");
  std::optional<Subscription> inbox(agent.subscribe("short.life").value());
  Publisher publisher = agent.publisher("short.life").value();
  publish_all(publisher, 100);
  std::uint64_t handled = 0;
  const auto count = [&](const MessageView&) {
    if (++handled == 30) inbox.reset();
  };
  while (inbox) inbox->poll(count, 1000, 5s);
  const FlushReport report = publisher.flush(5s);
  EXPECT_EQ(handled, 30u);
  EXPECT_EQ(report.delivered, 30u);
  EXPECT_EQ(report.dropped + report.no_subscriber, 70u);
}

TEST_F(Api, AnAgentThatClosesMidBatchDeliveredWhatItHandled) {
  Agent sender = connect("sender");
  Agent agent = connect("one");
  std::atomic<std::uint64_t> handled{0};
  std::atomic<bool> is_closing{false};
  Subscription inbox = agent
                           .subscribe("short.life",
                                      [&](const MessageView&) {
                                        if (++handled != 30) return;
                                        is_closing = true;
                                        std::this_thread::sleep_for(50ms);
                                      })
                           .value();
  Publisher publisher = sender.publisher("short.life").value();
  publish_all(publisher, 100);
  while (!is_closing) std::this_thread::yield();
  agent.close(5s);
  const FlushReport report = publisher.flush(5s);
  EXPECT_EQ(report.delivered, handled);
  EXPECT_EQ(report.delivered + report.dropped + report.no_subscriber, 100u);
}

}  // namespace
}  // namespace abuzz
