#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "bus/stats.hpp"
#include "tests/api/api_fixture.hpp"

// Every limit that refuses: one below it, at it, one above, and the error with its id. What holds
// or drops instead is in queue_limit_test.cpp.

namespace abuzz {
namespace {

using std::chrono::steady_clock;

std::string topic_of(std::size_t bytes, std::size_t tokens, const std::string& first = "") {
  std::string topic = first;
  for (std::size_t token = 1; token < tokens; ++token) topic += "a.";
  return topic + std::string(bytes - topic.size(), 'z');
}

struct NameCase {
  std::string text;
  std::optional<Error> error;  // none: taken
  const char* id;
};

class LimitTable : public Api {
 protected:
  // Refusals that time may change are retried until then.
  void SetUp() override {
    config_.agent.connect_timeout = 300ms;
    config_.node.handshake = 300ms;
    Api::SetUp();
  }
  void restart_with(const std::function<void(Config&)>& change) {
    node_.reset();
    change(config_);
    node_.emplace(Node::start(config_).value());
  }
  template <class Value>
  static void expect_refused(const Result<Value>& result, Error error, const char* id) {
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error(), error);
    EXPECT_TRUE(result.failure().message().starts_with(id)) << result.failure().message();
  }
  std::uint64_t count(ProcessCounter counter) {
    return read_stats(config_.node.runtime_directory + "/node.counters")
        .value()
        .rows.front()
        .get(counter);
  }
};

TEST_F(LimitTable, TopicsPatternsAndNames) {
  Agent agent = connect("one");
  const std::vector<NameCase> topics{
      {topic_of(127, 1), {}, ""},
      {topic_of(128, 1), {}, ""},
      {topic_of(129, 1), Error::bad_topic, "ABZ-0201"},
      {topic_of(20, 7), {}, ""},
      {topic_of(20, 8), {}, ""},
      {topic_of(20, 9), Error::bad_topic, "ABZ-0201"},
      {topic_of(159, 1, "$"), Error::reserved_topic, "ABZ-0203"},
      {topic_of(160, 1, "$"), Error::reserved_topic, "ABZ-0203"},
      {topic_of(161, 1, "$"), Error::bad_topic, "ABZ-0201"},
      {topic_of(30, 10, "$"), Error::reserved_topic, "ABZ-0203"},
      {topic_of(30, 11, "$"), Error::bad_topic, "ABZ-0201"},
  };
  for (const NameCase& one : topics) {
    SCOPED_TRACE(one.text);
    const Result<Publisher> publisher = agent.publisher(one.text);
    const Result<Subscription> inbox = agent.subscribe(one.text);
    if (!one.error.has_value()) {
      EXPECT_TRUE(publisher.ok() && inbox.ok());
      continue;
    }
    expect_refused(publisher, *one.error, one.id);
    const bool is_bad = *one.error == Error::bad_topic;
    expect_refused(inbox, is_bad ? Error::bad_pattern : *one.error, is_bad ? "ABZ-0202" : one.id);
  }
  EXPECT_TRUE(agent.subscribe(topic_of(20, 7) + ".>").ok());
  expect_refused(agent.subscribe(topic_of(20, 8) + ".>"), Error::bad_pattern, "ABZ-0202");
  for (const std::size_t bytes : {63, 64, 65}) {
    const Result<Agent> named = Agent::connect({std::string(bytes, 'n'), ""}, config_);
    if (bytes <= 64) {
      EXPECT_TRUE(named.ok()) << bytes;
    } else {
      expect_refused(named, Error::bad_agent_name, "ABZ-0501");
    }
  }
}

TEST_F(LimitTable, PayloadsOnEveryLane) {
  Agent agent = connect("one");
  Subscription inbox = agent.subscribe("size.*").value();
  const std::size_t limit = config_.limits.payload_bytes_max;
  for (const Lane lane : {Lane::high, Lane::normal, Lane::bulk}) {
    Publisher publisher = agent.publisher("size.x", {.lane = lane}).value();
    for (const std::size_t bytes : {limit - 1, limit}) {
      std::string payload(bytes, '\0');
      for (std::size_t index = 0; index < bytes; ++index)
        payload[index] = static_cast<char>(index * 7 + bytes);
      ASSERT_EQ(publisher.publish(payload, 5s), SendStatus::queued);
      bool is_same = false;
      ASSERT_EQ(
          inbox.poll([&](const MessageView& view) { is_same = view.text() == payload; }, 1, 5s),
          1u);
      EXPECT_TRUE(is_same) << bytes;
    }
    const std::string large(limit + 1, 'x');
    EXPECT_EQ(publisher.try_publish(large), SendStatus::too_large);
    EXPECT_EQ(publisher.publish(large, 5s), SendStatus::too_large);
    EXPECT_EQ(publisher.claim(limit + 1).status, SendStatus::too_large);
    EXPECT_EQ(publisher.last_sequence(), 2u);
  }
}

TEST_F(LimitTable, SubscriptionsAndPublishersOfAnAgent) {
  restart_with([](Config& config) {
    config.agent.subscriptions_max = 4;
    config.agent.publications_max = 4;
  });
  Agent agent = connect("one");
  std::vector<Subscription> inboxes;
  std::vector<Publisher> publishers;
  for (int index = 0; index < 4; ++index) {
    inboxes.push_back(agent.subscribe("t." + std::to_string(index)).value());
    publishers.push_back(agent.publisher("t." + std::to_string(index)).value());
  }
  expect_refused(agent.subscribe("more"), Error::subscriptions_limit, "ABZ-0602");
  expect_refused(agent.publisher("more"), Error::publications_limit, "ABZ-0605");
}

TEST_F(LimitTable, SubscriptionsAndPublishersOfANode) {
  restart_with([](Config& config) {
    config.node.subscriptions_max = 3;
    config.node.publications_max = 3;
  });
  Agent first = connect("first"), second = connect("second");
  std::vector<Subscription> inboxes;
  std::vector<Publisher> publishers;
  for (Agent* agent : {&first, &second, &first}) {
    inboxes.push_back(agent->subscribe("t.>").value());
    publishers.push_back(agent->publisher("t.x").value());
  }
  expect_refused(second.subscribe("more"), Error::node_subscriptions_limit, "ABZ-0603");
  expect_refused(second.publisher("more"), Error::publications_limit, "ABZ-0605");
  // Those that are there go on.
  ASSERT_EQ(publishers[1].publish("x", 5s), SendStatus::queued);
  for (Subscription& inbox : inboxes) EXPECT_EQ(inbox.poll([](const MessageView&) {}, 1, 5s), 1u);
  EXPECT_EQ(count(ProcessCounter::subscriptions_now), 3u);
  EXPECT_EQ(count(ProcessCounter::publications_now), 3u);
}

TEST_F(LimitTable, LinksAndAgentsOfANode) {
  for (const bool is_links : {true, false}) {
    restart_with([&](Config& config) {
      config.node.links_max = is_links ? 3 : 100;
      config.node.agents_max = is_links ? 100 : 3;
    });
    std::vector<Agent> agents;
    for (const char* name : {"a", "b", "c"}) agents.push_back(connect(name));
    expect_refused(Agent::connect({"d", ""}, config_),
                   is_links ? Error::links_limit : Error::agents_limit,
                   is_links ? "ABZ-0507" : "ABZ-0506");
    EXPECT_EQ(count(ProcessCounter::agents_now), 3u);
    EXPECT_GE(count(ProcessCounter::over_limit), 1u);
    EXPECT_TRUE(agents[0].is_connected() && agents[1].is_connected() && agents[2].is_connected());
    agents.pop_back();
    EXPECT_TRUE(Agent::connect({"d", ""}, config_).ok());
  }
}

TEST_F(LimitTable, BoundsOfASubscription) {
  Agent agent = connect("one");
  const std::uint64_t gib = 1u << 30;
  const std::uint64_t train = config_.limits.payload_bytes_max + 64 * 1024;
  const auto subscribe = [&](std::uint32_t messages, std::uint64_t bytes,
                             std::chrono::milliseconds stall) {
    SubscribeOptions options;
    options.queue_messages = messages;
    options.queue_bytes = bytes;
    options.stall_limit = stall;
    return agent.subscribe("bounds", options);
  };
  for (const std::uint32_t messages : {1u, (1u << 20) - 1, 1u << 20})
    EXPECT_TRUE(subscribe(messages, 0, 0ms).ok()) << messages;
  expect_refused(subscribe((1u << 20) + 1, 0, 0ms), Error::bad_bound, "ABZ-0606");
  for (const std::uint64_t bytes : {train, train + 1, gib - 1, gib})
    EXPECT_TRUE(subscribe(0, bytes, 0ms).ok()) << bytes;
  for (const std::uint64_t bytes : {train - 1, gib + 1})
    expect_refused(subscribe(0, bytes, 0ms), Error::bad_bound, "ABZ-0606");
  for (const auto stall : {100ms, 101ms, 3'600'000ms}) EXPECT_TRUE(subscribe(0, 0, stall).ok());
  for (const auto stall : {99ms, 3'600'001ms})
    expect_refused(subscribe(0, 0, stall), Error::bad_bound, "ABZ-0606");
}

TEST_F(LimitTable, AHandshakeThatSaysNothing) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = config_.node.runtime_directory + "/door";
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int caller = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  const auto began = steady_clock::now();
  ASSERT_EQ(::connect(caller, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  pollfd wanted{caller, POLLIN, 0};
  EXPECT_EQ(::poll(&wanted, 1, 200), 0) << "hung up on before its time";
  EXPECT_EQ(::poll(&wanted, 1, 5000), 1) << "not hung up on";
  EXPECT_GE(steady_clock::now() - began, config_.node.handshake - 10ms);
  char byte = 0;
  EXPECT_LE(::recv(caller, &byte, 1, 0), 0);
  ::close(caller);
}

TEST_F(LimitTable, LingerOnCloseWithoutANode) {
  for (const auto linger : {0ms, 300ms}) {
    config_.agent.linger = linger;
    std::optional<Agent> agent(connect("one"));
    Publisher publisher = agent->publisher("late").value();
    node_.reset();
    ASSERT_EQ(publisher.try_publish("x"), SendStatus::queued);
    const auto began = steady_clock::now();
    agent.reset();
    const auto took = steady_clock::now() - began;
    EXPECT_GE(took, linger - 10ms);
    EXPECT_LT(took, linger + 2s);
    node_.emplace(Node::start(config_).value());
  }
  EXPECT_EQ(Config{}.agent.linger, 1s);
  EXPECT_EQ(Config{}.node.handshake, 2s);
}

}  // namespace
}  // namespace abuzz
