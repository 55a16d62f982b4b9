#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "bus/export.hpp"
#include "bus/message.hpp"

namespace abuzz {

namespace client {
class SubscriptionHandle;
}

// When the subscriber falls behind. Values are on the wire.
enum class Policy : std::uint8_t {
  lossless = 0,  // publishers are held; past stall_limit this subscription is gone
  drop_new = 1,  // the newcomer goes, counted as queue_full
};

struct SubscribeOptions {
  Policy policy = Policy::lossless;
  std::chrono::milliseconds stall_limit{0};  // lossless; 0: subscription.stall_limit of the config
  std::uint32_t queue_messages = 0;          // 0: from the config, by policy
  std::uint64_t queue_bytes = 0;             // 0: from the config
};

// Runs on the agent's executor, one message at a time; must not throw. May publish and flush.
using Handler = std::function<void(const MessageView&)>;

struct SubscriptionReport {
  std::uint64_t received = 0;    // messages verified and queued here
  std::uint64_t handled = 0;     // handler returned, or polled
  std::uint64_t duplicates = 0;  // recognised after a reconnect and dropped
  std::uint64_t gaps = 0;        // sequences that were skipped
  std::uint64_t corrupt = 0;     // batches whose body was refused
  std::uint64_t batches = 0;
};

// One agent's pattern. Ends when destroyed: no handler runs after the destructor returned, except
// the one that destroys it.
// Threads: any one at a time; poll is for subscriptions without a handler.
class ABUZZ_EXPORT Subscription {
 public:
  Subscription(Subscription&&) noexcept;
  Subscription& operator=(Subscription&&) noexcept;
  ~Subscription();

  // Calls `handler` for up to `max` messages that are here; waits at most `patience` for the first.
  // Returns how many. Requires: subscribed without a handler.
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
