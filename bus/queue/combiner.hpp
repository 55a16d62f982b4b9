#pragma once

#include <atomic>

#include "bus/base/cache_line.hpp"

namespace abuzz::queue {

// The try-lock of the message route: whoever comes first does the work of all, and nobody waits.
//
// Threads: any. Ownership: guards one object; only who is inside may touch it.
// Invariants: work announced with raise() before run() is seen by the one inside, or by the caller
// who enters next: leaving stores `inside_` and then loads `raised_`, a caller stores `raised_` and
// then tries `inside_`; both pairs are seq_cst, so one of the two sees the other.
// Cost: two locked instructions when free; no system call, no allocation.
class Combiner {
 public:
  static constexpr unsigned endless = ~0u;

  // Announces work, then does `step()` until nothing is announced, or leaves at once when somebody
  // else is inside (who will then do it). Returns whether this thread was inside.
  //
  // After `steps_max` it leaves all the same: while others keep announcing work it would do theirs
  // for ever. Then is_raised() may hold with nobody inside, and the caller sees to it that somebody
  // comes.
  template <class Step>
  bool run(Step&& step, unsigned steps_max = endless) {
    raise();
    return run_raised(step, steps_max);
  }

  void raise() noexcept { raised_.store(true, std::memory_order_seq_cst); }

  template <class Step>
  bool run_raised(Step&& step, unsigned steps_max = endless) {
    bool was_inside = false;
    for (unsigned steps = 0; steps < steps_max && is_raised(); ++steps) {
      if (!try_enter()) return was_inside;
      was_inside = true;
      // An exchange, not a store: it reads the raise that it wipes out, and so pairs with the
      // raise() of everyone whose work step() has to see.
      raised_.exchange(false, std::memory_order_seq_cst);
      step();
      leave();
    }
    return was_inside;
  }

  // For callers that only want the object if it is free. Pairs with leave: what was done inside.
  // The load spares the line when somebody is inside; it is seq_cst because it is the load of the
  // pair (raise, try_enter) against (leave, is_raised): a stale `true` would lose the work.
  bool try_enter() noexcept {
    return !inside_.load(std::memory_order_seq_cst) &&
           !inside_.exchange(true, std::memory_order_seq_cst);
  }
  // Requires: this thread is inside. The caller re-reads is_raised() afterwards.
  void leave() noexcept { inside_.store(false, std::memory_order_seq_cst); }
  bool is_raised() const noexcept { return raised_.load(std::memory_order_seq_cst); }

 private:
  alignas(base::writer_distance_bytes) std::atomic<bool> inside_{false};
  alignas(base::writer_distance_bytes) std::atomic<bool> raised_{false};
};

}  // namespace abuzz::queue
