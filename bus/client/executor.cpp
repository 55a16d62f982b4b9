#include "bus/client/executor.hpp"

namespace abuzz::client {

namespace {

// Handled before the executor looks again whether it has to stop: a close does not wait for all of
// a long batch.
constexpr std::size_t messages_per_look = 16;
// Handled before the session looks at the link again: what comes on a higher lane does not wait for
// all that was queued before it.
constexpr std::size_t bytes_per_run = 64 * base::kib;

}  // namespace

std::size_t Executor::run_serial(WorkPool& pool) {
  Work* const work = pool.begin_serial();
  if (work == nullptr) return 0;
  running_.publish_fenced(&work->desk->core());
  pool.call(*work);
  running_.publish_fenced(nullptr);
  pool.finish_serial(*work);
  return 1;
}

std::size_t Executor::run(std::size_t deliveries_max, WorkPool* pool) {
  if (!role_.try_enter()) return 0;
  runner_.publish(std::hash<std::thread::id>{}(std::this_thread::get_id()));
  std::size_t done = 0;
  std::size_t bytes_done = 0;
  while (done < deliveries_max && bytes_done < bytes_per_run && !stopped_.read_fenced()) {
    Delivery* const next = queue_.next(clock_);
    if (next == nullptr) break;
    SubscriptionCore& subscription = *next->subscription;
    const std::size_t bytes = next->slice.bytes();
    // A store-load pair with Subscription's destructor: either it sees that its handler runs, or
    // this thread sees that it closes.
    running_.publish_fenced(&subscription);
    const bool has_begun = subscription.begin(*next);
    is_starved_.publish(!has_begun);
    if (!has_begun) {
      running_.publish_fenced(nullptr);
      break;
    }
    auto& finished = finished_[queue_.take(bytes)];
    while (subscription.has_messages()) {
      if (subscription.is_closing.read_fenced() || stopped_.read_fenced()) {
        subscription.abandon();
        break;
      }
      subscription.handle_some(subscription.handler, messages_per_look);
    }
    running_.publish_fenced(nullptr);
    finished.publish(finished.hint() + 1);
    ++done;
    bytes_done += bytes;
  }
  if (pool != nullptr && pool->has_serial() && !stopped_.read_fenced()) done += run_serial(*pool);
  was_cut_short_.publish(done == deliveries_max || bytes_done >= bytes_per_run);
  runner_.publish(0);
  role_.leave();
  return done;
}

}  // namespace abuzz::client
