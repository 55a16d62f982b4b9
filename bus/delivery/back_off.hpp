#pragma once

#include <algorithm>
#include <cstdint>

#include "bus/base/random.hpp"
#include "bus/base/units.hpp"

namespace abuzz::delivery {

// How long a message of a group waits after its attempt number `attempt` (from 1) has failed:
// 100 ms, doubling to 10 s. A tenth more or less, so that what failed together does not come back
// together.
inline base::Nanos back_off(std::uint32_t attempt, base::Random& random) noexcept {
  constexpr base::Nanos first = 100 * base::millisecond;
  constexpr base::Nanos last = 10 * base::second;
  const std::uint32_t doublings = std::min<std::uint32_t>(attempt > 0 ? attempt - 1 : 0, 7);
  const base::Nanos span = std::min<base::Nanos>(first << doublings, last);
  const auto jitter = static_cast<base::Nanos>(random.below(static_cast<std::uint64_t>(span / 5)));
  return span - span / 10 + jitter;
}

}  // namespace abuzz::delivery
