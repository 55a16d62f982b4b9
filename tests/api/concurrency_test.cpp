#include <atomic>
#include <map>
#include <mutex>
#include <vector>

#include "bus/subscription.hpp"
#include "tests/api/api_fixture.hpp"
#include "tests/api/crowd.hpp"

// Handlers beside each other, on real threads.

namespace abuzz {
namespace {

constexpr MessageOptions keyed(std::uint64_t key) {
  MessageOptions options;
  options.key = key;
  return options;
}

TEST_F(Api, HandlersRunBesideEachOtherWhereASubscriptionAsksForIt) {
  Agent agent = connect("one");
  std::atomic<int> inside{0};
  std::atomic<bool> have_met{false};
  auto inbox = agent.subscribe("side.by.side",
                               [&](const MessageView&) {
                                 if (++inside == 2) have_met = true;
                                 while (!have_met) std::this_thread::sleep_for(1ms);
                               },
                               {.concurrency = 2});
  ASSERT_TRUE(inbox.ok());
  Publisher publisher = agent.publisher("side.by.side").value();
  for (int index = 0; index < 2; ++index) ASSERT_EQ(publisher.publish("x", 5s), SendStatus::queued);
  EXPECT_EQ(publisher.flush(5s).delivered, 2u);
}

TEST_F(Api, NoMoreHandlersAtOnceThanASubscriptionAskedFor) {
  Agent agent = connect("one");
  Crowd crowd;
  auto inbox = agent.subscribe("crowd",
                               [&](const MessageView&) {
                                 crowd.enter();
                                 std::this_thread::sleep_for(1ms);
                                 crowd.leave();
                               },
                               {.concurrency = 3});
  ASSERT_TRUE(inbox.ok());
  Publisher publisher = agent.publisher("crowd").value();
  for (int index = 0; index < 200; ++index)
    ASSERT_EQ(publisher.publish("x", 5s), SendStatus::queued);
  EXPECT_EQ(publisher.flush(10s).delivered, 200u);
  EXPECT_LE(crowd.most(), 3);
}

TEST_F(Api, BesideEachOtherEachKeyKeepsItsOrder) {
  Agent agent = connect("one");
  std::array<std::atomic<std::uint64_t>, 9> last{};
  std::array<std::atomic<int>, 9> inside{};
  std::atomic<int> wrong{0};
  auto inbox = agent.subscribe("keys",
                               [&](const MessageView& message) {
                                 const std::size_t key = message.key();
                                 if (++inside[key] > 1 || message.sequence() <= last[key]) ++wrong;
                                 last[key] = message.sequence();
                                 if (message.sequence() % 7 == 0) std::this_thread::yield();
                                 --inside[key];
                               },
                               {.concurrency = 8});
  ASSERT_TRUE(inbox.ok());
  Publisher publisher = agent.publisher("keys").value();
  constexpr std::uint64_t count = 20'000;
  for (std::uint64_t index = 0; index < count; ++index)
    ASSERT_EQ(publisher.publish("x", 5s, keyed(1 + index % 8)), SendStatus::queued);
  EXPECT_EQ(publisher.flush(20s).delivered, count);
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(inbox.value().report().handled, count);
}

TEST_F(Api, AMemberOfAGroupAcknowledgesBesideItself) {
  Agent agent = connect("one");
  SubscribeOptions options;
  options.group = "workers";
  options.ack = AckMode::manual;
  options.concurrency = 4;
  std::atomic<int> handled{0};
  auto inbox = agent.subscribe(
      "jobs",
      [&](const MessageView& message) {
        ++handled;
        EXPECT_EQ(message.ack(), LeaseStatus::told);
      },
      options);
  ASSERT_TRUE(inbox.ok());
  Publisher publisher = agent.publisher("jobs").value();
  for (int index = 0; index < 500; ++index)
    ASSERT_EQ(publisher.publish("x", 5s), SendStatus::queued);
  EXPECT_EQ(publisher.flush(10s).delivered, 500u);
  EXPECT_EQ(handled, 500);
}

TEST_F(Api, LargePayloadsAreHandledBesideEachOther) {
  Agent agent = connect("one");
  const std::string payload(600'000, 'x');
  std::atomic<int> whole{0};
  auto inbox = agent.subscribe(
      "large", [&](const MessageView& message) { whole += message.text() == payload ? 1 : 0; },
      {.concurrency = 4});
  ASSERT_TRUE(inbox.ok());
  Publisher publisher = agent.publisher("large").value();
  for (int index = 0; index < 30; ++index)
    ASSERT_EQ(publisher.publish(payload, 5s), SendStatus::queued);
  EXPECT_EQ(publisher.flush(10s).delivered, 30u);
  EXPECT_EQ(whole, 30);
}

TEST_F(Api, ClosingDrainsWhatWasBegun) {
  std::atomic<int> handled{0};
  Agent other = connect("other");
  {
    Agent agent = connect("one");
    auto inbox = agent.subscribe("drain",
                                 [&](const MessageView&) {
                                   std::this_thread::sleep_for(2ms);
                                   ++handled;
                                 },
                                 {.concurrency = 4});
    ASSERT_TRUE(inbox.ok());
    Publisher publisher = other.publisher("drain").value();
    for (int index = 0; index < 50; ++index)
      ASSERT_EQ(publisher.publish("x", 5s), SendStatus::queued);
    while (handled == 0) std::this_thread::yield();
    agent.close(10s);
    const FlushReport report = publisher.flush(5s);
    EXPECT_EQ(report.delivered, static_cast<std::uint64_t>(handled));
    EXPECT_EQ(report.delivered + report.dropped, 50u);
  }
}

TEST_F(Api, ClosingDoesNotWaitLongerThanItsPatienceForWhatWasNotBegun) {
  std::atomic<bool> is_open{false};
  std::atomic<int> handled{0};
  Agent agent = connect("one");
  auto inbox = agent.subscribe("gate",
                               [&](const MessageView&) {
                                 while (!is_open) std::this_thread::sleep_for(1ms);
                                 ++handled;
                               },
                               {.concurrency = 2});
  ASSERT_TRUE(inbox.ok());
  Publisher publisher = agent.publisher("gate").value();
  for (int index = 0; index < 50; ++index)
    ASSERT_EQ(publisher.publish("x", 5s), SendStatus::queued);
  std::thread opener([&] {
    std::this_thread::sleep_for(300ms);
    is_open = true;
  });
  const CloseReport report = agent.close(100ms);
  opener.join();
  EXPECT_LE(handled, 2) << "the two that ran";
  EXPECT_GE(report.unhandled, 48u);
}

TEST_F(Api, AHandlerBesideOthersMayEndItsSubscription) {
  Agent agent = connect("one");
  std::optional<Subscription> inbox;
  std::mutex ending;
  std::atomic<std::uint64_t> handled{0};
  std::atomic<bool> has_ended{false};
  std::atomic<int> late{0};
  inbox.emplace(agent
                    .subscribe("short.life",
                               [&](const MessageView&) {
                                 if (has_ended) ++late;
                                 if (++handled != 30) return;
                                 inbox.reset();
                                 has_ended = true;
                               },
                               {.concurrency = 4})
                    .value());
  Publisher publisher = agent.publisher("short.life").value();
  for (int index = 0; index < 100; ++index)
    ASSERT_EQ(publisher.publish("x", 5s), SendStatus::queued);
  const FlushReport report = publisher.flush(5s);
  EXPECT_EQ(late, 0);
  EXPECT_LE(report.delivered, handled);
  EXPECT_EQ(report.delivered + report.dropped + report.no_subscriber, 100u);
  EXPECT_EQ(report.pending, 0u);
}

TEST_F(Api, AHandlerBesideOthersMayCloseItsAgent) {
  std::atomic<int> handled{0};
  Agent agent = connect("one");
  auto inbox = agent.subscribe(
      "the.end", [&](const MessageView&) { handled += (agent.close(1s), 1); }, {.concurrency = 4});
  ASSERT_TRUE(inbox.ok());
  Publisher publisher = agent.publisher("the.end").value();
  for (int index = 0; index < 20; ++index) (void)publisher.publish("x", 1s);
  agent.wait();
  agent.close(1s);
  EXPECT_GE(handled, 1);
}

TEST_F(Api, WorkersKeepTheirWordWhenTheNodeIsAnotherOne) {
  Agent agent = connect("one");
  std::mutex mutex;
  std::map<std::uint64_t, int> seen;
  std::atomic<std::uint64_t> handled{0};
  auto inbox = agent.subscribe("kept",
                               [&](const MessageView& message) {
                                 if (message.sequence() % 50 == 0) std::this_thread::sleep_for(1ms);
                                 const std::lock_guard lock(mutex);
                                 ++seen[message.sequence()];
                                 ++handled;
                               },
                               {.concurrency = 4});
  ASSERT_TRUE(inbox.ok());
  Publisher publisher = agent.publisher("kept").value();
  constexpr std::uint64_t count = 3000;
  for (std::uint64_t index = 0; index < count; ++index) {
    ASSERT_EQ(publisher.publish("x", 10s, keyed(index % 5)), SendStatus::queued);
    if (index % 1000 == 500) {
      node_.reset();
      node_.emplace(Node::start(config_).value());
    }
  }
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (handled < count && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(1ms);
  (void)publisher.flush(5s);
  const std::lock_guard lock(mutex);
  EXPECT_EQ(seen.size(), count);
  for (const auto& [sequence, times] : seen) EXPECT_EQ(times, 1) << sequence;
}

TEST_F(Api, BoundsOfConcurrencyAndBatchesAreChecked) {
  Agent agent = connect("one");
  const auto one = [](const MessageView&) {};
  const auto many = [](std::span<const MessageView>) {};
  EXPECT_EQ(agent.subscribe("a", one, {.concurrency = 0}).error(), Error::bad_bound);
  EXPECT_EQ(agent.subscribe("a", one, {.concurrency = 257}).error(), Error::bad_bound);
  EXPECT_EQ(agent.subscribe("a", many, {.batch_max = 0}).error(), Error::bad_bound);
  EXPECT_EQ(agent.subscribe("a", many, {.batch_max = 4097}).error(), Error::bad_bound);
  EXPECT_EQ(agent.subscribe("a", many, {.batch_wait = 1100ms}).error(), Error::bad_bound);
}

}  // namespace
}  // namespace abuzz
