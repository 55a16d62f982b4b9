#include "bus/node/presence.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/model/simulated_bus.hpp"

// A node over the loop network, with agents of whom one listens to what is told about the others.

namespace abuzz::node::test {
namespace {

using base::millisecond;
using base::second;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PresenceTest : public ::testing::Test {
 protected:
  PresenceTest() { listen("$agents.>"); }
  ~PresenceTest() override {
    agents_.clear();
    listening_.clear();
    watcher_.reset();
  }

  void listen(const std::string& pattern) {
    if (!watcher_) watcher_ = add("watcher");
    pass(100 * millisecond);
    const auto take = [this](const MessageView& message) {
      const std::string topic(message.topic());
      if (topic.find(".watcher.") != std::string::npos) return;
      events_.push_back(topic.substr(8));
      payloads_.emplace_back(message.text());
      from_ = message.agent_id();
    };
    listening_.push_back(watcher_->core().open_subscription(pattern, take, {}).value());
    pass(100 * millisecond);
    events_.clear();
  }
  std::unique_ptr<abuzz::testing::SimulatedAgent> add(const std::string& name) {
    return std::make_unique<abuzz::testing::SimulatedAgent>(node_, pool_, config_, name, 5, trace_);
  }
  // In small strides; agents that are asleep are not stepped.
  void pass(base::Nanos span) {
    constexpr base::Nanos stride = 10 * millisecond;
    for (; span > 0; span -= stride) {
      node_.clock().advance(stride);
      for (int round = 0; round < 3; ++round) {
        node_.step(1);
        if (watcher_) watcher_->step();
        for (auto& agent : agents_)
          if (agent.get() != asleep_) agent->step();
      }
    }
  }
  // What was told since the last call.
  std::vector<std::string> events() {
    pass(50 * millisecond);
    return std::exchange(events_, {});
  }
  // An agent that only has a door, a link and a beat.
  std::unique_ptr<link::DoorCall> visit(const std::string& name) {
    wire::DoorHello hello = hello_of(name);
    hello.counters_path = name + ".counters";
    auto call = node_.greet(hello);
    welcome_ = node_.hear(*call).welcome;
    return call;
  }
  void beat_for(const std::string& name, int seconds) {
    for (int index = 0; index < seconds; ++index) {
      ++node_.host.beats[name + ".counters"];
      pass(second);
    }
  }
  std::uint64_t agent_count(const std::string& name, AgentCounter counter) {
    for (const RowSnapshot& row : node_.core().stats().snapshot().rows)
      if (row.kind == RowKind::agent && row.text == name) return row.get(counter);
    return 0;
  }

  const Config config_;
  mem::ProcessMemory memory_;
  mem::Pool pool_{abuzz::testing::agent_classes, memory_};
  LoopNode node_;
  abuzz::testing::Trace trace_;
  std::unique_ptr<abuzz::testing::SimulatedAgent> watcher_;
  std::vector<std::unique_ptr<abuzz::testing::SimulatedAgent>> agents_;
  const abuzz::testing::SimulatedAgent* asleep_ = nullptr;
  std::vector<std::shared_ptr<client::SubscriptionCore>> listening_;
  std::vector<std::string> events_, payloads_;
  std::uint64_t from_ = 0;
  wire::DoorWelcome welcome_;
};

TEST_F(PresenceTest, every_change_of_a_state_is_one_event) {
  auto door = visit("alice");
  EXPECT_THAT(events(), ElementsAre("alice.starting"));
  auto link = node_.attach(welcome_);
  EXPECT_THAT(events(), ElementsAre("alice.ready"));
  beat_for("alice", 10);
  EXPECT_THAT(events(), ElementsAre());
  pass(5 * second);
  EXPECT_THAT(events(), ElementsAre("alice.stalled"));
  EXPECT_EQ(node_.agent_state("alice"), PeerState::stalled);
  EXPECT_EQ(agent_count("alice", AgentCounter::responsive), 0u);
  beat_for("alice", 2);
  EXPECT_THAT(events(), ElementsAre("alice.ready"));
  EXPECT_EQ(agent_count("alice", AgentCounter::responsive), 1u);
  door.reset();
  EXPECT_THAT(events(), ElementsAre("alice.gone"));
  EXPECT_THAT(payloads_.back(), HasSubstr(R"("cause":"hung_up","alive":false)"));
  EXPECT_EQ(from_, own_agent_id(node_.identity().node_epoch));
}

TEST_F(PresenceTest, silence_is_noticed_half_a_beat_after_its_time_at_the_latest) {
  auto door = visit("alice");
  auto link = node_.attach(welcome_);
  beat_for("alice", 5);
  events();
  const base::Nanos beaten = node_.clock().now() - 1050 * millisecond;
  while (events().empty()) ASSERT_LT(node_.clock().now() - beaten, 4 * second);
  EXPECT_GE(node_.clock().now() - beaten, 3 * second);
}

TEST_F(PresenceTest, the_last_beat_and_returns_stand_in_the_counter_row) {
  auto door = visit("alice");
  auto link = node_.attach(welcome_);
  beat_for("alice", 3);
  const auto now = static_cast<std::uint64_t>(node_.clock().now());
  EXPECT_LE(now - agent_count("alice", AgentCounter::last_beat_ns),
            static_cast<std::uint64_t>(2 * second));
  EXPECT_EQ(agent_count("alice", AgentCounter::reconnects), 0u);
  EXPECT_THAT(events(), ElementsAre("alice.starting", "alice.ready"));
  auto again = node_.greet(return_of("alice", welcome_));
  auto link_again = node_.attach(node_.hear(*again).welcome);
  EXPECT_THAT(events(), ElementsAre("alice.starting", "alice.ready"));
  EXPECT_THAT(payloads_[payloads_.size() - 2], HasSubstr(R"("cause":"returned")"));
  EXPECT_EQ(agent_count("alice", AgentCounter::reconnects), 1u);
}

TEST_F(PresenceTest, an_agent_that_stays_silent_is_gone) {
  auto door = visit("alice");
  auto link = node_.attach(welcome_);
  pass(62 * second);
  EXPECT_THAT(events(), ElementsAre("alice.starting", "alice.ready", "alice.stalled"));
  pass(3 * second);
  EXPECT_THAT(events(), ElementsAre("alice.gone"));
  EXPECT_THAT(payloads_.back(), HasSubstr(R"("cause":"lifeless")"));
}

TEST_F(PresenceTest, who_does_not_finish_its_handshake_is_gone) {
  auto door = visit("alice");
  pass(3 * second);
  EXPECT_THAT(events(), ElementsAre("alice.starting", "alice.gone"));
  EXPECT_THAT(payloads_.back(), HasSubstr(R"("cause":"late")"));
}

TEST_F(PresenceTest, an_agent_with_deliveries_for_half_a_second_is_busy_until_it_has_none) {
  agents_.push_back(add("worker"));
  agents_.push_back(add("boss"));
  agents_[0]->add_subscription("work");
  agents_[1]->add_publisher("work");
  pass(second);
  EXPECT_EQ(events().size(), 4u);
  for (int round = 0; round < 300; ++round) {
    ASSERT_EQ(agents_[1]->publish(0, 100), SendStatus::queued);
    pass(10 * millisecond);
  }
  EXPECT_THAT(events(), ElementsAre()) << "it keeps up";
  asleep_ = agents_[0].get();
  for (int round = 0; round < 3; ++round)
    ASSERT_EQ(agents_[1]->publish(0, 100), SendStatus::queued);
  pass(second);
  EXPECT_THAT(events(), ElementsAre("worker.busy"));
  EXPECT_THAT(payloads_.back(), HasSubstr(R"("cause":"backlog")"));
  EXPECT_EQ(agent_count("worker", AgentCounter::unsettled), 3u);
  EXPECT_EQ(agent_count("worker", AgentCounter::progressing), 1u);
  pass(4 * second);
  EXPECT_EQ(agent_count("worker", AgentCounter::progressing), 0u) << "busy, and stands still";
  EXPECT_THAT(events(), ElementsAre("worker.busy"));
  EXPECT_THAT(payloads_.back(), HasSubstr(R"("cause":"no_progress")"));
  EXPECT_THAT(payloads_.back(), HasSubstr(R"("responsive":true,"progressing":false)"));
  asleep_ = nullptr;
  pass(second);
  EXPECT_THAT(events(), ElementsAre("worker.busy", "worker.ready"));
  EXPECT_THAT(payloads_.back(), HasSubstr(R"("cause":"caught_up")"));
  EXPECT_EQ(agent_count("worker", AgentCounter::progressing), 1u);
}

TEST_F(PresenceTest, an_agent_that_closes_drains_and_is_gone) {
  agents_.push_back(add("leaver"));
  pass(second);
  EXPECT_THAT(events(), ElementsAre("leaver.starting", "leaver.ready"));
  agents_[0]->core().inside([](client::Session& session) { session.leave(60 * second); });
  pass(second);
  EXPECT_THAT(events(), ElementsAre("leaver.draining", "leaver.gone"));
  EXPECT_THAT(payloads_.back(), HasSubstr(R"("cause":"goodbye")"));
}

TEST_F(PresenceTest, an_agent_whose_messages_are_held_drains_for_as_long) {
  agents_.push_back(add("leaver"));
  agents_.push_back(add("sleeper"));
  SubscribeOptions options;
  options.queue_messages = 2;
  agents_[1]->add_subscription("work", options);
  pass(second);
  agents_[0]->add_publisher("work");
  pass(second);
  events();
  asleep_ = agents_[1].get();
  for (int index = 0; index < 2000; ++index) (void)agents_[0]->publish(0, 1000);
  pass(200 * millisecond);
  agents_[0]->core().inside(
      [&](client::Session& session) { session.leave(node_.clock().now() + 60 * second); });
  pass(2 * second);
  EXPECT_THAT(events(), ElementsAre("leaver.draining", "sleeper.busy"));
  asleep_ = nullptr;
  pass(10 * second);
  EXPECT_THAT(events(), ::testing::UnorderedElementsAre("leaver.gone", "sleeper.ready"));
}

TEST_F(PresenceTest, after_a_restart_of_the_node_all_arrive_again_with_its_epoch) {
  agents_.push_back(add("alice"));
  pass(second);
  EXPECT_THAT(payloads_.back(), HasSubstr(R"("node_epoch":1)"));
  events();
  node_.restart();
  pass(5 * second);
  // Whether the watcher hears of the arrival depends on who is back first; it can ask for the rest.
  EXPECT_EQ(node_.agent_state("alice"), PeerState::ready);
  EXPECT_EQ(agent_count("alice", AgentCounter::reconnects), 1u);
}

TEST(PresenceEvent, is_valid_json_whatever_an_agent_calls_itself) {
  const AgentIdentity agent{(std::uint64_t{2} << 32) | 5, 77, "alice", "a \"b\" \\",
                            "gr\xc3\xbc\xc3\x9f\x65 \xff\xc3"};
  const PresenceEvent event{
      agent, PeerState::stalled,       PresenceCause::no_beat, {.is_responsive = false},
      2,     1'700'000'000'123'456'789};
  EXPECT_EQ(write_presence_event(event),
            R"({"v":1,"name":"alice","id":8589934597,"pid":77,"kind":"a \"b\" \\",)"
            "\"description\":\"gr\xc3\xbc\xc3\x9f\x65 \xef\xbf\xbd\xef\xbf\xbd\","
            R"("state":"stalled","cause":"no_beat","alive":true,"responsive":false,)"
            R"("progressing":true,"node_epoch":2,"time_ms":1700000000123})");
  EXPECT_EQ(presence_topic("alice", PeerState::busy), "$agents.alice.busy");
}

TEST(PresenceEvent, every_cause_has_a_name) {
  for (int cause = 0; cause <= static_cast<int>(PresenceCause::link_lost); ++cause)
    EXPECT_GT(std::string(presence_cause_name(static_cast<PresenceCause>(cause))).size(), 3u);
}

}  // namespace
}  // namespace abuzz::node::test
