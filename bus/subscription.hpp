#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "bus/export.hpp"
#include "bus/message.hpp"
#include "bus/options.hpp"

namespace abuzz {

namespace client {
class SubscriptionHandle;
}

// One agent's pattern. Ends when destroyed, also by its own handler: no handler runs after the
// destructor returned, except the one that destroys it. What was handled by then, that message
// included, counts as delivered; what else had arrived is dropped, with the reason `shutdown`.
// One that was moved from answers nothing: no messages, zeros, not live.
// Threads: any one at a time; poll is for subscriptions without a handler.
class ABUZZ_EXPORT Subscription {
 public:
  Subscription(Subscription&&) noexcept;
  Subscription& operator=(Subscription&&) noexcept;
  ~Subscription();

  // Calls `handler` for up to `max` messages that are here; waits at most `patience` for the first.
  // Returns how many; none once the agent was closed. Requires: subscribed without a handler.
  std::size_t poll(const Handler& handler, std::size_t max, std::chrono::nanoseconds patience);

  SubscriptionReport report() const;
  // False once the node ended it (stalled out, struck out) or the agent was closed.
  bool is_live() const noexcept;

 private:
  friend class Agent;
  explicit Subscription(std::unique_ptr<client::SubscriptionHandle> handle) noexcept;
  std::unique_ptr<client::SubscriptionHandle> handle_;
};

}  // namespace abuzz
