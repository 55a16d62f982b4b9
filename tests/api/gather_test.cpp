#include <string>

#include "bus/stats.hpp"
#include "tests/api/api_fixture.hpp"

// Messages that may wait for others: MessageOptions::more and Publisher::push.

namespace abuzz {
namespace {

class Gather : public Api {
 protected:
  std::uint64_t frames_in() {
    return read_stats(directory_ + "/run/node.counters")
        .value()
        .rows.front()
        .get(ProcessCounter::frames_in);
  }
  // Until nothing comes for a while.
  static std::size_t poll_all(Subscription& inbox) {
    std::size_t seen = 0;
    while (const std::size_t more = inbox.poll([](const MessageView&) {}, 1000, 300ms))
      seen += more;
    return seen;
  }

  // Frames to the node for some bursts of sixteen, each of which is seen before the next one.
  std::uint64_t count_frames(bool more) {
    Agent agent = connect(more ? "gathers" : "does-not");
    Subscription inbox = agent.subscribe("burst").value();
    Publisher publisher = agent.publisher("burst").value();
    const std::uint64_t before = frames_in();
    for (int burst = 0; burst < 20; ++burst) {
      for (int message = 0; message < 16; ++message)
        EXPECT_EQ(publisher.try_publish("hello", {.more = more}), SendStatus::queued);
      publisher.push();
      for (std::size_t seen = 0; seen < 16;) {
        const std::size_t some = inbox.poll([](const MessageView&) {}, 16, 5s);
        if (some == 0) return 0;
        seen += some;
      }
    }
    return frames_in() - before;
  }

  const MessageOptions more_{.more = true};
};

TEST_F(Gather, WhatMayWaitLeavesTogether) {
  const std::uint64_t alone = count_frames(false), together = count_frames(true);
  EXPECT_GT(together, 0u);
  EXPECT_LT(together * 2, alone);
}

TEST_F(Gather, OneThatMayNotWaitTakesTheOthersAlong) {
  Agent agent = connect("one");
  Subscription inbox = agent.subscribe("a").value();
  Publisher publisher = agent.publisher("a").value();
  ASSERT_EQ(publisher.try_publish("1", more_), SendStatus::queued);
  ASSERT_EQ(publisher.try_publish("2", more_), SendStatus::queued);
  ASSERT_EQ(publisher.try_publish("3"), SendStatus::queued);
  EXPECT_EQ(poll_all(inbox), 3u);
}

TEST_F(Gather, AFlushLeavesNothingBehind) {
  Agent agent = connect("one");
  Subscription inbox = agent.subscribe("a", [](const MessageView&) {}).value();
  Publisher publisher = agent.publisher("a").value();
  ASSERT_EQ(publisher.try_publish("1", more_), SendStatus::queued);
  EXPECT_EQ(publisher.flush(5s).delivered, 1u);
  ASSERT_EQ(publisher.try_publish("2", more_), SendStatus::queued);
  EXPECT_EQ(agent.flush(5s).delivered, 2u);
}

TEST_F(Gather, APublisherThatEndsLeavesNothingBehind) {
  Agent agent = connect("one");
  Subscription inbox = agent.subscribe("a").value();
  {
    Publisher publisher = agent.publisher("a").value();
    ASSERT_EQ(publisher.try_publish("1", more_), SendStatus::queued);
  }
  EXPECT_EQ(poll_all(inbox), 1u);
}

// Whatever fills up before somebody pushes: batches, segments, what may be staged at all.
TEST_F(Gather, WhatIsMuchDoesNotWait) {
  Agent agent = connect("one");
  Subscription inbox = agent.subscribe("a", [](const MessageView&) {}).value();
  Publisher publisher = agent.publisher("a").value();
  for (const std::size_t bytes :
       {std::size_t{10}, std::size_t{3'000}, std::size_t{40'000}, std::size_t{200'000}}) {
    const std::string payload(bytes, 'x');
    for (std::size_t sent = 0; sent < 8'000'000; sent += bytes + 100)
      ASSERT_EQ(publisher.publish(payload, 5s, more_), SendStatus::queued);
  }
  publisher.push();
  const std::uint64_t sent = publisher.last_sequence();
  EXPECT_EQ(publisher.flush(10s).delivered, sent);
}

TEST_F(Gather, ItMayBePushedWhereNothingWaits) {
  std::optional<Agent> agent(connect("one"));
  Publisher publisher = agent->publisher("a").value();
  publisher.push();
  agent.reset();
  publisher.push();
  EXPECT_EQ(publisher.try_publish("1", more_), SendStatus::closed);
}

}  // namespace
}  // namespace abuzz
