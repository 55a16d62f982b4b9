#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "bus/base/clock.hpp"
#include "bus/base/position.hpp"
#include "bus/client/delivery_queue.hpp"
#include "bus/delivery/lane_turn.hpp"

namespace abuzz::client {

// Deliveries on their way to one consumer: a queue for each lane, made when the lane is first used,
// and a choice between them (LaneTurn). The consumer works on the head of a lane; while it cannot,
// it may turn to another one.
//
// Threads: push and spill inside the session's combiner; the rest by one consumer at a time.
// Invariants: deliveries of one lane are taken in the order in which they were pushed. Cost: with
// one lane in use that of its queue; the clock is read where several lanes wait.
class LaneQueues {
 public:
  using Counts = std::array<std::uint64_t, wire::data_lanes>;

  // --- Inside the combiner. ---
  void push(Delivery&& delivery) {
    const std::size_t lane = wire::lane_index(delivery.lane);
    if (!owned_[lane]) {
      owned_[lane] = std::make_unique<DeliveryQueue>();
      queues_[lane].publish(owned_[lane].get());
    }
    owned_[lane]->push(std::move(delivery));
    ++pushed_;
  }
  // Moves what waited into the room that the consumer made.
  void spill() {
    for (const auto& queue : owned_)
      if (queue) (void)queue->spill();
  }
  // How many were pushed, in all, and by lane.
  std::uint64_t pushed() const noexcept { return pushed_; }
  Counts pushed_by_lane() const noexcept {
    Counts counts{};
    for (std::size_t lane = 0; lane < counts.size(); ++lane)
      if (owned_[lane]) counts[lane] = owned_[lane]->pushed();
    return counts;
  }

  // --- The consumer. ---
  // The delivery that is to be begun next, or nullptr: it is the head of its lane until take() says
  // that it was begun (and moved from). Of the lanes in `allowed` only.
  Delivery* next(base::Clock& clock,
                 delivery::LaneTurn::Waiting allowed = delivery::LaneTurn::all) noexcept {
    delivery::LaneTurn::Waiting waiting = 0;
    for (std::size_t lane = 0; lane < wire::data_lanes; ++lane) {
      DeliveryQueue* queue = queues_[lane].read();
      if (queue == nullptr) continue;
      Delivery& head = heads_[lane];
      if (head.subscription != nullptr || queue->pop(&head, 1) == 1)
        waiting |= delivery::LaneTurn::bit(lane);
    }
    waiting &= allowed;
    if (waiting == 0) return nullptr;
    chosen_ = turn_.next(waiting, delivery::LaneTurn::is_contested(waiting) ? clock.now() : 0);
    return &heads_[chosen_];
  }
  // Requires: next() gave one, of `bytes`. Returns its lane.
  std::size_t take(std::size_t bytes) noexcept {
    heads_[chosen_] = {};
    turn_.note_served(chosen_, bytes);
    return chosen_;
  }
  // Inside the combiner, and by the consumer: drops what nobody will take any more, and its memory.
  void clear() noexcept {
    for (std::size_t lane = 0; lane < wire::data_lanes; ++lane) {
      heads_[lane] = {};
      if (owned_[lane]) owned_[lane]->clear();
    }
  }

 private:
  // The combiner's; each stays once it is there.
  std::array<std::unique_ptr<DeliveryQueue>, wire::data_lanes> owned_;
  std::uint64_t pushed_ = 0;
  // Stored inside the combiner once the queue is made; loaded by the consumer.
  std::array<base::Position<DeliveryQueue*>, wire::data_lanes> queues_;
  // The consumer's.
  std::array<Delivery, wire::data_lanes> heads_;
  delivery::LaneTurn turn_;
  std::size_t chosen_ = 0;
};

}  // namespace abuzz::client
