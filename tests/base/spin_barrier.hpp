#pragma once

#include <atomic>
#include <thread>

namespace abuzz::testing {

// Lets threads start a round within nanoseconds of each other, so that their first steps race.
// std::barrier sleeps, and then one thread is through before the other has woken.
class SpinBarrier {
 public:
  explicit SpinBarrier(int threads) : threads_(threads) {}

  void arrive_and_wait() noexcept {
    const int round = round_.load(std::memory_order_relaxed);
    // Pairs with itself through round_: what all threads did before is visible to all after.
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    int spins = 0;
    while (round_.load(std::memory_order_acquire) == round) {
      if (++spins % 1024 == 0) std::this_thread::yield();  // on a machine with too few cores
    }
  }

 private:
  const int threads_;
  std::atomic<int> arrived_{0};
  std::atomic<int> round_{0};
};

// Lets a race shift by a few nanoseconds from round to round.
inline void spin(int count) noexcept {
  // Relaxed: an atomic only so that the loop is not removed.
  std::atomic<int> spins{0};
  while (spins.load(std::memory_order_relaxed) < count) {
    spins.store(spins.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
}

}  // namespace abuzz::testing
