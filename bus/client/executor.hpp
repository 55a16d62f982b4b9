#pragma once

#include <array>
#include <cstddef>
#include <thread>

#include "bus/base/position.hpp"
#include "bus/client/lane_queues.hpp"
#include "bus/client/subscription_core.hpp"
#include "bus/client/work_pool.hpp"
#include "bus/queue/combiner.hpp"

namespace abuzz::client {

// Runs the handlers of one agent, one at a time.
//
// Threads: run by any, one gets in; push and spill inside the session's combiner. Ownership: the
// session keeps every subscription that stands in the queue.
// Invariants: deliveries of one subscription and lane are handled in the order in which they were
// pushed; of those that wait, the higher lane comes first.
class Executor {
 public:
  explicit Executor(base::Clock& clock) noexcept : clock_(clock) {}
  LaneQueues& queue() noexcept { return queue_; }
  // From now on no handler begins.
  void stop() noexcept { stopped_.publish_fenced(true); }
  // Handles at most `deliveries_max` batches, and no more once they were long; returns how many. 0
  // also when another thread is inside.
  // Also one call of those that are the runner's in `pool`, if there is one.
  std::size_t run(std::size_t deliveries_max, WorkPool* pool = nullptr);
  // The last run handled as much as it may: more may wait.
  bool was_cut_short() const noexcept { return was_cut_short_.hint(); }
  // Whether the calling thread is inside a handler of this agent.
  bool is_inside() const noexcept {
    return runner_.read() == std::hash<std::thread::id>{}(std::this_thread::get_id());
  }
  bool is_busy() const noexcept { return runner_.read() != 0; }
  // Whether all that was pushed up to `pushed` is over: nothing names its subscriptions any more.
  bool has_finished(const LaneQueues::Counts& pushed) const noexcept {
    for (std::size_t lane = 0; lane < pushed.size(); ++lane)
      if (finished_[lane].read() < pushed[lane]) return false;
    return true;
  }
  // The next delivery waits for a buffer: the pool must grow, or messages be dropped by their
  // owners.
  bool is_starved() const noexcept { return is_starved_.read(); }
  // The subscription whose handler runs now, or nullptr.
  const SubscriptionCore* running() const noexcept { return running_.read_fenced(); }

 private:
  std::size_t run_serial(WorkPool& pool);

  base::Clock& clock_;
  queue::Combiner role_;
  LaneQueues queue_;
  base::Position<bool> is_starved_{false};
  base::Position<bool> stopped_{false};
  base::Position<bool> was_cut_short_{false};
  std::array<base::Position<std::uint64_t>, wire::data_lanes> finished_;  // by lane
  base::Position<std::size_t> runner_{0};
  base::Position<const SubscriptionCore*> running_{nullptr};
};

}  // namespace abuzz::client
