#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "bus/base/position.hpp"
#include "bus/queue/combiner.hpp"
#include "bus/queue/intake.hpp"

namespace abuzz::queue {

// A short queue in front of one worker, from which other workers may help themselves: an Intake
// whose consumer is whoever gets in.
//
// Threads: try_push by one thread at a time; try_take and count by any.
// Invariants: first in, first out; each item is taken once. Nobody waits: who finds another taker
// inside is told `busy`, and that one takes an item, or leaves the queue empty.
// Cost: try_take of an empty queue is two plain loads; else two locked instructions and a pop.
template <class T, std::size_t Quota>
class StealQueue {
 public:
  enum class Take : std::uint8_t { taken, empty, busy };

  // False when Quota items are in it.
  bool try_push(T item) noexcept {
    if (!producer_.try_push(std::move(item))) return false;
    pushed_.publish(pushed_.hint() + 1);
    return true;
  }
  Take try_take(T& item) noexcept {
    if (count() == 0) return Take::empty;
    if (!takers_.try_enter()) return Take::busy;
    const bool is_taken = intake_.pop(&item, 1) == 1;
    if (is_taken) taken_.publish(taken_.hint() + 1);
    takers_.leave();
    return is_taken ? Take::taken : Take::empty;
  }
  // Exact for who pushes while nobody takes; for others a moment old.
  std::size_t count() const noexcept {
    const std::uint64_t taken = taken_.read();
    const std::uint64_t pushed = pushed_.read();
    return pushed > taken ? static_cast<std::size_t>(pushed - taken) : 0;
  }

 private:
  Intake<T, Quota> intake_{1};
  typename Intake<T, Quota>::Producer producer_{intake_.producer()};
  Combiner takers_;
  base::Position<std::uint64_t> pushed_{0};  // stored by who pushes
  base::Position<std::uint64_t> taken_{0};   // stored by who is inside takers_
};

}  // namespace abuzz::queue
