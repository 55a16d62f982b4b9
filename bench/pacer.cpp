#include "bench/pacer.hpp"

#include <sys/prctl.h>
#include <time.h>

#include <algorithm>

#include "bench/time.hpp"

namespace abuzz::bench {
namespace {

// The kernel oversleeps by less.
constexpr std::int64_t spin_max_ns = 60'000;
constexpr double spin_share = 0.05;
constexpr std::int64_t quantum_ns = 50'000;

}  // namespace

Pacer::Pacer(double interval_ns, bool has_processors_to_spare) noexcept
    : spin_ns_(has_processors_to_spare
                   ? spin_max_ns
                   : std::min(spin_max_ns, static_cast<std::int64_t>(interval_ns * spin_share))),
      sleep_min_ns_(has_processors_to_spare ? 0 : quantum_ns) {
  (void)prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
}

void Pacer::sleep_until(std::int64_t moment_ns) const noexcept {
  const std::int64_t now = now_ns();
  const std::int64_t early_ns = std::max(moment_ns - spin_ns_, now + sleep_min_ns_);
  if (now < early_ns) {
    const timespec wake{static_cast<time_t>(early_ns / second_ns), early_ns % second_ns};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, nullptr);
  }
  while (now_ns() < moment_ns) continue;
}

}  // namespace abuzz::bench
