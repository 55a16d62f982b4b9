#pragma once

#include <cstdint>
#include <string_view>

#include "bus/base/clock.hpp"
#include "bus/base/units.hpp"

namespace abuzz::base {

// How long a thread that found nothing to do stays awake: it spins, then lets others run between
// its looks, and then sleeps in the kernel.
struct IdleBudget {
  Nanos spin = 0;
  Nanos yield = 0;
  // Only as long as it pays: a look in vain makes the next ones rarer, until one succeeds again.
  bool is_adaptive = false;
};

// What a profile (place.waiting) means on a machine where this process may use so many processors.
// On one processor nobody can bring work while a thread spins, so it never does.
IdleBudget idle_budget(std::string_view profile, std::uint32_t processors) noexcept;
// Of ProcessCounter::waiting: 0 eco, 1 balanced, 2 low_latency.
std::uint64_t waiting_number(std::string_view profile) noexcept;

// The waiting of one thread, before it sleeps: if (idle.find(clock, look)) work; else sleep.
//
// Threads: one. Cost: nothing with an empty budget; else at most the budget of CPU time, once a
// sleep. One that is adaptive and never succeeds spends at most a 64th of that in the long run.
class IdleStrategy {
 public:
  explicit IdleStrategy(const IdleBudget& budget) noexcept : budget_(budget) {}

  // Calls `look` until it returns true, or the budget is over. What it spent is in spent().
  template <class Look>
  bool find(Clock& clock, Look&& look) {
    spent_ = 0;
    if (budget_.spin + budget_.yield == 0) return false;
    if (skips_left_ > 0) {
      --skips_left_;
      return false;
    }
    const Nanos began = clock.now();
    Nanos now = began;
    bool has_found = false;
    while (!has_found && now - began < budget_.spin + budget_.yield) {
      now - began < budget_.spin ? pause() : yield();
      has_found = look();
      now = clock.now();
    }
    spent_ = now - began;
    note(has_found);
    return has_found;
  }
  // By the last find.
  Nanos spent() const noexcept { return spent_; }

 private:
  static constexpr std::uint32_t skips_max = 64;
  static void pause() noexcept;
  static void yield() noexcept;
  void note(bool has_found) noexcept {
    if (!budget_.is_adaptive) return;
    skips_ = has_found ? 0 : skips_ == 0 ? 1 : skips_ >= skips_max ? skips_max : skips_ * 2;
    skips_left_ = skips_;
  }

  const IdleBudget budget_;
  std::uint32_t skips_ = 0;       // after the last look in vain
  std::uint32_t skips_left_ = 0;  // of them
  Nanos spent_ = 0;
};

}  // namespace abuzz::base
