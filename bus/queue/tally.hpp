#pragma once

#include <atomic>
#include <cstdint>

namespace abuzz::queue {

// Counts what one producer has committed into something that a consumer may take at any moment.
//
// The producer writes an item and then calls commit(). The consumer calls take() once: it gets the
// number of items that are its own from then on. A commit that comes later fails, and the producer
// puts the item elsewhere.
//
// Threads: one producer, one consumer. Invariants: every commit either returned true and is in the
// count of take(), or returned false. Cost: one locked instruction each. commit is seq_cst because
// the producer then reads whether it must knock (see Combiner): it is the store of that pair.
class Tally {
 public:
  // Pairs with take: the items counted are visible to the consumer.
  bool commit(std::uint32_t items = 1) noexcept {
    return (word_.fetch_add(items, std::memory_order_seq_cst) & taken_bit) == 0;
  }
  // Returns the number committed. Pairs with commit.
  std::uint32_t take() noexcept {
    return word_.fetch_or(taken_bit, std::memory_order_seq_cst) & ~taken_bit;
  }
  // What a take would return now.
  std::uint32_t committed() const noexcept {
    return word_.load(std::memory_order_seq_cst) & ~taken_bit;
  }
  // Pairs with take: what the consumer did before it.
  bool is_taken() const noexcept {
    return (word_.load(std::memory_order_acquire) & taken_bit) != 0;
  }
  // Requires: nobody else uses it.
  void reset() noexcept { word_.store(0, std::memory_order_relaxed); }

 private:
  static constexpr std::uint32_t taken_bit = 0x8000'0000;
  std::atomic<std::uint32_t> word_{0};
};

}  // namespace abuzz::queue
