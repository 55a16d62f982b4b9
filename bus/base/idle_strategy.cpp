#include "bus/base/idle_strategy.hpp"

#include <sched.h>

namespace abuzz::base {

namespace {

constexpr IdleBudget balanced{10 * microsecond, 0, true};
constexpr IdleBudget low_latency{100 * microsecond, 200 * microsecond, false};

}  // namespace

IdleBudget idle_budget(std::string_view profile, std::uint32_t processors) noexcept {
  IdleBudget budget;
  if (profile == "balanced") budget = balanced;
  if (profile == "low_latency") budget = low_latency;
  if (processors < 2) budget.spin = 0;
  return budget;
}

std::uint64_t waiting_number(std::string_view profile) noexcept {
  return profile == "eco" ? 0 : profile == "low_latency" ? 2 : 1;
}

void IdleStrategy::pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void IdleStrategy::yield() noexcept {
  sched_yield();
}

}  // namespace abuzz::base
