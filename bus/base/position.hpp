#pragma once

#include <atomic>
#include <cstdint>

#include "bus/base/cache_line.hpp"

namespace abuzz::base {

// A number that one thread writes and others read: a position, a limit, a state.
//
// Threads: one writer at a time (or a role that is handed over with its own synchronisation), any
// readers. Cost: plain moves on x86, except publish_fenced, which is one locked store.
template <class T>
class Position {
 public:
  explicit Position(T initial = T{}) noexcept : value_(initial) {}

  // What the writer did before becomes visible to who reads the new value with read().
  void publish(T value) noexcept { value_.store(value, std::memory_order_release); }
  // Pairs with publish: all that the writer did before it.
  T read() const noexcept { return value_.load(std::memory_order_acquire); }

  // The two halves of a store-load pair (Dekker): if one thread does publish_fenced(a) and then
  // read_fenced(b), another publish_fenced(b) and then read_fenced(a), at least one of them sees
  // the other's store, because all four are in the single order of seq_cst.
  void publish_fenced(T value) noexcept { value_.store(value, std::memory_order_seq_cst); }
  T read_fenced() const noexcept { return value_.load(std::memory_order_seq_cst); }

  // The writer's own view, or a reader that only wants a hint: no ordering needed.
  T hint() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<T> value_;
};

}  // namespace abuzz::base
