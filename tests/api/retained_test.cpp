#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "tests/api/api_fixture.hpp"

namespace abuzz {
namespace {

using Texts = std::vector<std::string>;

class Retained : public Api {
 protected:
  Publisher publisher(Agent& agent, std::uint32_t messages, const char* topic = "state.a") {
    return agent.publisher(topic, {.retain_messages = messages}).value();
  }
  void publish(Publisher& source, std::string_view text, std::uint64_t key = 0) {
    ASSERT_EQ(source.publish(text, 5s, {.key = key}), SendStatus::queued);
    // Who subscribed polls it later.
    if (source.match_count() > 0) return;
    ASSERT_EQ(source.flush(5s).pending, 0u);
  }
  // Ends the node and starts the next one in its place.
  void restart_node() {
    node_.reset();
    node_.emplace(Node::start(config_).value());
  }
  static Texts poll(Subscription& inbox, std::size_t count) {
    Texts texts;
    while (texts.size() < count &&
           inbox.poll([&](const MessageView& message) { texts.emplace_back(message.text()); },
                      count - texts.size(), 5s) > 0) {
    }
    return texts;
  }
};

TEST_F(Retained, ALateJoinerGetsTheLastMessagesThenWhatFollows) {
  Agent agent = connect("source");
  Publisher source = publisher(agent, 2);
  for (const char* text : {"one", "two", "three"}) publish(source, text);
  Agent late = connect("late");
  Subscription inbox = late.subscribe("state.*").value();
  ASSERT_EQ(source.publish("four", 5s), SendStatus::queued);
  Texts texts;
  std::vector<bool> flags;
  while (texts.size() < 3 && inbox.poll(
                                 [&](const MessageView& message) {
                                   texts.emplace_back(message.text());
                                   flags.push_back(message.is_retained());
                                 },
                                 3, 5s) > 0) {
  }
  EXPECT_EQ(texts, (Texts{"two", "three", "four"}));
  EXPECT_EQ(flags, (std::vector<bool>{true, true, false}));
  EXPECT_EQ(inbox.report().gaps, 0u);
}

TEST_F(Retained, KeysWithOldValuesAreNoGap) {
  Agent agent = connect("source");
  Publisher source = publisher(agent, 1);
  for (const std::uint64_t key : {1u, 2u, 3u, 3u, 2u}) publish(source, std::to_string(key), key);
  Subscription inbox = agent.subscribe("state.a").value();
  publish(source, "new", 9);
  EXPECT_EQ(poll(inbox, 4), (Texts{"1", "3", "2", "new"}));
  EXPECT_EQ(inbox.report().gaps, 0u);
  EXPECT_EQ(inbox.report().duplicates, 0u);
}

TEST_F(Retained, WhoWantsOnlyWhatIsNewGetsNothingElse) {
  Agent agent = connect("source");
  Publisher source = publisher(agent, 1);
  publish(source, "old");
  Subscription inbox = agent.subscribe("state.a", {.retained = false}).value();
  publish(source, "new");
  EXPECT_EQ(poll(inbox, 1), Texts{"new"});
}

TEST_F(Retained, APayloadOfTheLimitIsRetained) {
  std::string large(1u << 20, 'x');
  for (std::size_t index = 0; index < large.size(); ++index)
    large[index] = static_cast<char>(index * 31 >> 3);
  {
    Agent agent = connect("source");
    Publisher source = publisher(agent, 1);
    publish(source, large, 7);
  }
  Agent late = connect("late");
  Subscription inbox = late.subscribe("state.a").value();
  EXPECT_EQ(poll(inbox, 1), Texts{large});
  Result<RetainedMessage> value = late.get("state.a", 5s, 7);
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(value.value().view().text(), large);
}

TEST_F(Retained, TheLastValueCanBeAskedFor) {
  Agent agent = connect("source");
  Publisher source = publisher(agent, 3);
  publish(source, "a", 1);
  publish(source, "b", 2);
  {
    Result<RetainedMessage> newest = agent.get("state.a", 5s);
    ASSERT_TRUE(newest.ok());
    EXPECT_EQ(newest.value().view().text(), "b");
    EXPECT_TRUE(newest.value().view().is_retained());
    Result<RetainedMessage> of_key = agent.get("state.a", 5s, 1);
    ASSERT_TRUE(of_key.ok());
    EXPECT_EQ(of_key.value().view().text(), "a");
  }
  EXPECT_EQ(agent.get("state.a", 5s, 3).error(), Error::nothing_retained);
  EXPECT_EQ(agent.get("state.b", 5s).error(), Error::nothing_retained);
  EXPECT_EQ(agent.get("state.*", 5s).error(), Error::bad_topic);
  EXPECT_EQ(agent.get("$state", 5s).error(), Error::reserved_topic);
}

TEST_F(Retained, AWishHasALimit) {
  Agent agent = connect("source");
  EXPECT_EQ(agent.publisher("state.a", {.retain_messages = 65'537}).error(), Error::bad_bound);
  EXPECT_TRUE(agent.publisher("state.a", {.retain_messages = 65'536}).ok());
}

TEST_F(Retained, WhatExpiredIsNotGiven) {
  Agent agent = connect("source");
  Publisher source = publisher(agent, 1);
  ASSERT_EQ(source.publish("short", 5s, {.time_to_live = 50ms}), SendStatus::queued);
  (void)source.flush(5s);
  std::this_thread::sleep_for(60ms);
  EXPECT_EQ(agent.get("state.a", 5s).error(), Error::nothing_retained);
}

TEST_F(Retained, LivingPublishersBringTheirValuesToTheNextNode) {
  Agent agent = connect("source");
  Publisher keyed = publisher(agent, 1, "state.keyed");
  Publisher plain = publisher(agent, 2, "state.plain");
  const std::string large(300'000, 'y');
  for (const std::uint64_t key : {1u, 2u, 1u}) publish(keyed, "k" + std::to_string(key), key);
  for (const std::string& text : {std::string("one"), std::string("two"), large})
    publish(plain, text);
  Subscription inbox = agent.subscribe("state.>").value();
  EXPECT_EQ(poll(inbox, 4).size(), 4u);
  restart_node();
  Agent late = connect("late");
  Subscription plain_inbox = late.subscribe("state.plain").value();
  EXPECT_EQ(poll(plain_inbox, 2), (Texts{"two", large}));
  Subscription keyed_inbox = late.subscribe("state.keyed").value();
  EXPECT_EQ(poll(keyed_inbox, 2), (Texts{"k2", "k1"}));
  // Who had them does not get them again.
  publish(plain, "three");
  EXPECT_EQ(poll(inbox, 1), Texts{"three"});
  EXPECT_EQ(poll(plain_inbox, 1), Texts{"three"});
  EXPECT_EQ(inbox.report().gaps, 0u);
}

TEST_F(Retained, LateJoinersBesideRunningPublishersMissNothing) {
  Agent agent = connect("source");
  std::atomic<bool> ends{false};
  std::thread running([&] {
    Publisher source = publisher(agent, 3);
    for (std::uint64_t number = 1; !ends.load(); ++number)
      ASSERT_EQ(source.publish(std::to_string(number), 10s), SendStatus::queued);
    EXPECT_EQ(source.flush(10s).pending, 0u);
  });
  for (int round = 0; round < 30; ++round) {
    Agent late = connect("late");
    Subscription inbox = late.subscribe("state.a").value();
    std::vector<std::uint64_t> numbers;
    while (numbers.size() < 200 &&
           inbox.poll(
               [&](const MessageView& message) {
                 numbers.push_back(std::stoull(std::string(message.text())));
               },
               200, 5s) > 0) {
    }
    ASSERT_GE(numbers.size(), 200u);
    for (std::size_t index = 1; index < numbers.size(); ++index)
      ASSERT_EQ(numbers[index], numbers[index - 1] + 1) << "round " << round;
    EXPECT_EQ(inbox.report().gaps + inbox.report().duplicates, 0u);
  }
  ends.store(true);
  running.join();
}

}  // namespace
}  // namespace abuzz
