#pragma once

#include <cstddef>
#include <thread>

#include "bus/base/position.hpp"
#include "bus/client/delivery_queue.hpp"
#include "bus/client/subscription_core.hpp"
#include "bus/queue/combiner.hpp"

namespace abuzz::client {

// Runs the handlers of one agent, one at a time.
//
// Threads: run by any, one gets in; push and spill inside the session's combiner. Ownership: the
// session keeps every subscription that stands in the queue.
// Invariants: deliveries of one subscription are handled in the order in which they were pushed.
class Executor {
 public:
  DeliveryQueue& queue() noexcept { return queue_; }
  // From now on no handler begins.
  void stop() noexcept { stopped_.publish_fenced(true); }
  // Handles at most `deliveries_max` batches; returns how many. 0 also when another thread is
  // inside.
  std::size_t run(std::size_t deliveries_max);
  // Whether the calling thread is inside a handler of this agent.
  bool is_inside() const noexcept {
    return runner_.read() == std::hash<std::thread::id>{}(std::this_thread::get_id());
  }
  bool is_busy() const noexcept { return runner_.read() != 0; }
  // Deliveries that were popped and are over, in all: nothing names their subscriptions any more.
  std::uint64_t finished() const noexcept { return finished_.read(); }
  // The next delivery waits for a buffer: the pool must grow, or messages be dropped by their
  // owners.
  bool is_starved() const noexcept { return is_starved_.read(); }
  // The subscription whose handler runs now, or nullptr.
  const SubscriptionCore* running() const noexcept { return running_.read_fenced(); }

 private:
  queue::Combiner role_;
  DeliveryQueue queue_;
  Delivery held_;  // inside the role: popped, not begun
  base::Position<bool> is_starved_{false};
  base::Position<bool> stopped_{false};
  base::Position<std::uint64_t> finished_{0};
  base::Position<std::size_t> runner_{0};
  base::Position<const SubscriptionCore*> running_{nullptr};
};

}  // namespace abuzz::client
