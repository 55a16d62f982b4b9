#include "bus/client/executor.hpp"

namespace abuzz::client {

namespace {

// Handled before the executor looks again whether it has to stop: a close does not wait for all of
// a long batch.
constexpr std::size_t messages_per_look = 16;

}  // namespace

std::size_t Executor::run(std::size_t deliveries_max) {
  if (!role_.try_enter()) return 0;
  runner_.publish(std::hash<std::thread::id>{}(std::this_thread::get_id()));
  std::size_t done = 0;
  while (done < deliveries_max && !stopped_.read_fenced() &&
         (held_.subscription != nullptr || queue_.pop(&held_, 1) == 1)) {
    SubscriptionCore& subscription = *held_.subscription;
    // A store-load pair with Subscription's destructor: either it sees that its handler runs, or
    // this thread sees that it closes.
    running_.publish_fenced(&subscription);
    const bool has_begun = subscription.begin(held_);
    is_starved_.publish(!has_begun);
    if (!has_begun) {
      running_.publish_fenced(nullptr);
      break;
    }
    held_ = {};
    while (subscription.has_messages()) {
      if (subscription.is_closing.read_fenced() || stopped_.read_fenced()) {
        subscription.abandon();
        break;
      }
      subscription.handle_some(subscription.handler, messages_per_look);
    }
    running_.publish_fenced(nullptr);
    finished_.publish(finished_.hint() + 1);
    ++done;
  }
  runner_.publish(0);
  role_.leave();
  return done;
}

}  // namespace abuzz::client
