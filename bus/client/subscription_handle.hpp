#pragma once

#include <memory>
#include <utility>

#include "bus/client/agent_core.hpp"
#include "bus/client/subscription_core.hpp"

namespace abuzz::client {

// What the owner of a subscription holds: it ends with it.
class SubscriptionHandle {
 public:
  SubscriptionHandle(std::shared_ptr<AgentCore> agent, std::shared_ptr<SubscriptionCore> core)
      : agent_(std::move(agent)), core_(std::move(core)) {}
  ~SubscriptionHandle() { agent_->remove_subscription(*core_); }
  SubscriptionHandle(const SubscriptionHandle&) = delete;
  SubscriptionHandle& operator=(const SubscriptionHandle&) = delete;

  AgentCore& agent() noexcept { return *agent_; }
  SubscriptionCore& core() noexcept { return *core_; }
  // For a call that may outlast the handle: a poll whose handler destroys the subscription.
  std::shared_ptr<AgentCore> keep_agent() const { return agent_; }
  std::shared_ptr<SubscriptionCore> keep_core() const { return core_; }

 private:
  const std::shared_ptr<AgentCore> agent_;        // keeps pool and session alive
  const std::shared_ptr<SubscriptionCore> core_;  // shared with the session
};

}  // namespace abuzz::client
