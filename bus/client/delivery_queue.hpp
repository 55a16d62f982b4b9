#pragma once

#include <cstddef>
#include <cstdint>

#include "bus/base/units.hpp"
#include "bus/delivery/ring.hpp"
#include "bus/mem/buffer.hpp"
#include "bus/message.hpp"
#include "bus/queue/intake.hpp"

namespace abuzz::client {

class SubscriptionCore;

// One received batch (or chunk, or the end of a broken train) for one subscription, not verified
// yet.
struct Delivery {
  mem::Buffer slice;  // the sealed batch
  SubscriptionCore* subscription = nullptr;
  std::uint64_t first_delivery = 0;
  std::uint32_t first = 0;  // of the messages in the batch
  std::uint32_t count = 0;
  std::uint32_t generation = 0;  // of the subscription's registration
  Lane lane = Lane::normal;
  base::Nanos expires_at = 0;  // 0: never
  base::Nanos received_at = 0;
  std::uint16_t attempt = 0;  // of a group
  bool may_repeat = false;    // of a group
  bool is_retained = false;   // kept for who comes later
  bool aborts = false;        // the slice is an AbortKey
};

// From the session to whoever handles: an intake, and behind it a queue of the session's own for
// what the intake has no room for. Bounded by the credit of the subscriptions.
//
// Threads: push and spill inside the session's combiner; pop by one consumer at a time.
class DeliveryQueue {
 public:
  void push(Delivery&& delivery) {
    ++pushed_;
    if (overflow_.is_empty() && producer_.try_push(std::move(delivery))) return;
    overflow_.push_back(std::move(delivery));
  }
  // Moves what waited into the room that the consumer made. True when something waits still.
  bool spill() {
    while (!overflow_.is_empty() && producer_.try_push(std::move(overflow_.front())))
      overflow_.pop_front();
    return !overflow_.is_empty();
  }
  // How many were pushed, in all.
  std::uint64_t pushed() const noexcept { return pushed_; }
  std::size_t pop(Delivery* output, std::size_t max) noexcept { return intake_.pop(output, max); }
  // Inside the combiner, and by the consumer.
  void clear() noexcept {
    while (!overflow_.is_empty()) overflow_.pop_front();
    for (Delivery dropped; pop(&dropped, 1) == 1;) dropped = {};
  }

 private:
  static constexpr std::size_t quota = 512;
  queue::Intake<Delivery, quota> intake_{1};
  queue::Intake<Delivery, quota>::Producer producer_{intake_.producer()};
  delivery::Ring<Delivery> overflow_;
  std::uint64_t pushed_ = 0;
};

}  // namespace abuzz::client
