#pragma once

#include <atomic>
#include <cstdint>

#include "bus/base/units.hpp"

namespace abuzz::base {

// Lets threads sleep until a condition may have changed, without a lock.
//
// Use: `auto key = events.prepare(); if (condition) { events.cancel(); return; }
//       events.wait(key, timeout);` and re-check the condition afterwards, in a loop.
//
// Threads: any. Ownership: must outlive its waiters.
// Invariants: a notify that comes after prepare() ends the wait, at once if the wait has not begun.
// What the notifier wrote before notify_all, with any order, is seen by the check after prepare()
// or the waiter is woken.
// Cost: notify is one locked instruction while nobody waits; otherwise one futex system call.
class EventCount {
 public:
  using Key = std::uint32_t;

  Key prepare() noexcept;
  void cancel() noexcept;
  // Returns false when the timeout (nanoseconds, negative: none) passed first.
  bool wait(Key key, Nanos timeout) noexcept;
  void notify_all() noexcept;

 private:
  // Stored by notify_all, compared by the kernel in wait: the futex word.
  std::atomic<std::uint32_t> epoch_{0};
  // Raised by prepare, lowered by cancel and wait, and touched by notify_all: all of them are
  // read-modify-writes, so that of a waiter and a notifier the later one sees the earlier one.
  std::atomic<std::uint32_t> waiters_{0};
};

}  // namespace abuzz::base
