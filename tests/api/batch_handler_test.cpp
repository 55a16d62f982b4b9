#include <atomic>
#include <span>

#include "bus/subscription.hpp"
#include "tests/api/api_fixture.hpp"
#include "tests/api/crowd.hpp"

// Handlers of many messages at once, on real threads.

namespace abuzz {
namespace {

TEST_F(Api, ABatchHandlerIsGivenManyAtOnceBesideNoOtherHandler) {
  Agent agent = connect("one");
  Crowd crowd;
  std::atomic<std::uint64_t> handled{0}, calls{0};
  std::uint64_t last = 0;
  auto single = agent.subscribe("batch", [&](const MessageView&) {
    crowd.enter();
    crowd.leave();
  });
  auto inbox = agent.subscribe("batch",
                               [&](std::span<const MessageView> messages) {
                                 crowd.enter();
                                 EXPECT_LE(messages.size(), 32u);
                                 for (const MessageView& message : messages) {
                                   EXPECT_EQ(message.sequence(), ++last);
                                   EXPECT_EQ(message.text(), "x");
                                 }
                                 handled += messages.size();
                                 ++calls;
                                 crowd.leave();
                               },
                               {.batch_max = 32, .batch_wait = 2000us});
  ASSERT_TRUE(single.ok());
  ASSERT_TRUE(inbox.ok());
  Publisher publisher = agent.publisher("batch").value();
  for (int index = 0; index < 5000; ++index)
    ASSERT_EQ(publisher.publish("x", 5s), SendStatus::queued);
  EXPECT_EQ(publisher.flush(10s).delivered, 5000u);
  while (handled < 5000) std::this_thread::yield();
  EXPECT_GE(calls, 5000u / 32);
  EXPECT_EQ(crowd.most(), 1);
}

TEST_F(Api, ABatchThatIsNotFullIsGivenWhenItsTimeHasCome) {
  Agent agent = connect("one");
  std::atomic<std::uint64_t> handled{0};
  auto inbox = agent.subscribe(
      "few", [&](std::span<const MessageView> messages) { handled += messages.size(); },
      {.batch_max = 1000, .batch_wait = 500us});
  ASSERT_TRUE(inbox.ok());
  Publisher publisher = agent.publisher("few").value();
  for (int index = 0; index < 3; ++index) ASSERT_EQ(publisher.publish("x", 5s), SendStatus::queued);
  EXPECT_EQ(publisher.flush(5s).delivered, 3u);
}

TEST_F(Api, BatchesMayRunBesideEachOtherToo) {
  Agent agent = connect("one");
  std::atomic<std::uint64_t> handled{0};
  auto inbox = agent.subscribe(
      "many", [&](std::span<const MessageView> messages) { handled += messages.size(); },
      {.concurrency = 4, .batch_max = 16});
  ASSERT_TRUE(inbox.ok());
  Publisher publisher = agent.publisher("many").value();
  for (std::uint64_t index = 0; index < 5000; ++index)
    ASSERT_EQ(publisher.publish("x", 5s, {.key = index % 3}), SendStatus::queued);
  EXPECT_EQ(publisher.flush(10s).delivered, 5000u);
  EXPECT_EQ(handled, 5000u);
}

}  // namespace
}  // namespace abuzz
