#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/model/simulated_bus.hpp"

// Links that lose frames, up and down: whoever misses one gives the link up, and what was lost is
// sent again over the next one.

namespace abuzz::testing {
namespace {

constexpr base::Nanos tick = 100 * base::microsecond;

class FrameLoss : public ::testing::Test {
 protected:
  ~FrameLoss() override { agents_.clear(); }

  SimulatedAgent& add(const std::string& name) {
    agents_.push_back(std::make_unique<SimulatedAgent>(node_, pool_, config_, name, 3, trace_));
    return *agents_.back();
  }
  void pass(int ticks) {
    for (; ticks > 0; --ticks) {
      node_.clock().advance(tick);
      node_.step(1);
      for (auto& agent : agents_)
        if (agent.get() != asleep_) agent->step();
      node_.step(1);
    }
  }

  const Config config_;
  Trace trace_;
  mem::ProcessMemory memory_;
  mem::Pool pool_{agent_classes, memory_};
  node::test::LoopNode node_;
  std::vector<std::unique_ptr<SimulatedAgent>> agents_;
  const SimulatedAgent* asleep_ = nullptr;
};

TEST_F(FrameLoss, NothingIsLostOrDoubledThatAnyAgentMisses) {
  std::vector<Seen*> seen;
  for (const char* name : {"alice", "bob", "carol"}) {
    SimulatedAgent& agent = add(name);
    agent.add_publisher(std::string("work.") + name);
    seen.push_back(&agent.add_subscription("work.>"));
  }
  pass(1000);
  node_.network().set_faults({.lose_one_in = 60});
  std::uint64_t sent = 0;
  for (int round = 0; round < 6000; ++round) {
    const std::size_t bytes = round % 500 == 0 ? 200'000 : 100;
    for (auto& agent : agents_)
      if (agent->publish(0, bytes) == SendStatus::queued) ++sent;
    pass(2);
  }
  node_.network().set_faults({});
  pass(20'000);
  EXPECT_GT(node_.count(ProcessCounter::sessions_opened), 20u);
  EXPECT_EQ(node_.count(ProcessCounter::strikes), 0u);
  for (const Seen* one : seen) {
    EXPECT_EQ(one->messages, sent);
    EXPECT_EQ(one->disorder, 0u);
    EXPECT_EQ(one->corrupt, 0u);
    for (const auto& [key, stream] : one->streams) EXPECT_EQ(stream.count, stream.last);
  }
  for (auto& agent : agents_) {
    const FlushReport report = agent->publisher(0).report();
    EXPECT_EQ(report.unknown, 0u);
    EXPECT_EQ(agent->subscription(0).report().gaps, 0u);
  }
}

TEST_F(FrameLoss, WhoDoesNotComeBackIsGone) {
  SimulatedAgent& agent = add("alice");
  agent.add_publisher("work");
  pass(1000);
  node_.network().set_faults({.lose_one_in = 1});
  ASSERT_EQ(agent.publish(0, 10), SendStatus::queued);
  agent.step();
  node_.network().set_faults({});
  ASSERT_EQ(agent.publish(0, 10), SendStatus::queued);
  agent.step();
  asleep_ = &agent;
  pass(100);
  EXPECT_THAT(node_.log, ::testing::Contains(::testing::HasSubstr("lost frames on its link")));
  EXPECT_EQ(node_.agent_state("alice"), PeerState::ready);
  pass(31'000);
  EXPECT_EQ(node_.agent_state("alice"), PeerState::none);
  EXPECT_THAT(node_.log, ::testing::Contains(::testing::HasSubstr("did not come back")));
}

}  // namespace
}  // namespace abuzz::testing
