#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "bus/mem/budget.hpp"
#include "tests/model/simulated_bus.hpp"

// Many publications and subscriptions coming and going, over loop links.

namespace abuzz::testing {
namespace {

class Registrations : public ::testing::Test {
 protected:
  Registrations() { settle(); }
  void settle(int steps = 200) {
    for (int step = 0; step < steps; ++step) {
      node_.clock().advance(base::millisecond);
      node_.step(1);
      agent_.step();
    }
  }
  std::shared_ptr<client::SubscriptionCore> subscribe(const std::string& pattern) {
    return agent_.core().open_subscription(pattern, {}, {}).value();
  }
  std::size_t agent_rows() { return agent_.core().stats().snapshot().rows.size(); }

  const Config config_;
  Trace trace_;
  mem::ProcessMemory memory_;
  mem::Pool pool_{mem::agent_classes(config_.limits, config_.link), memory_};
  node::test::LoopNode node_;
  SimulatedAgent agent_{node_, pool_, config_, "one", 7, trace_};
};

TEST_F(Registrations, EndedSubscriptionsLeaveNoCounterRowBehind) {
  const std::size_t before = agent_rows();
  for (int round = 0; round < 100; ++round) {
    const auto inbox = subscribe("topic");
    settle(5);
    agent_.core().remove_subscription(*inbox);
    settle(5);
  }
  settle();
  EXPECT_LE(agent_rows(), before + 2);
}

TEST_F(Registrations, ASubscriptionThatEndsWhileItsLinkIsCutEndsAtTheNode) {
  for (int round = 0; round < 8; ++round) {
    const auto inbox = subscribe("topic");
    settle(20);
    ASSERT_EQ(inbox->state.read(), client::SubscriptionState::live);
    agent_.core().remove_subscription(*inbox);
    // Before the node reads the Unsubscribe, or before the agent hears that it did.
    if (round % 2 == 1) node_.step(1);
    node_.network().cut_links();
    settle(2000);
    ASSERT_TRUE(agent_.is_live());
    std::size_t left = 0;
    agent_.core().inside([&](client::Session& session) { left = session.subscription_count(); });
    EXPECT_EQ(left, 0u) << round;
    EXPECT_EQ(node_.count(ProcessCounter::subscriptions_now), 0u) << round;
  }
}

TEST_F(Registrations, ASubscriptionThatEndsWhileItsNodeIsKilledIsForgotten) {
  const auto inbox = subscribe("topic");
  settle(20);
  agent_.core().remove_subscription(*inbox);
  node_.restart();
  settle(2000);
  ASSERT_TRUE(agent_.is_live());
  std::size_t left = 1;
  agent_.core().inside([&](client::Session& session) { left = session.subscription_count(); });
  EXPECT_EQ(left, 0u);
}

}  // namespace
}  // namespace abuzz::testing
