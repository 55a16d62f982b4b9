#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace abuzz::base {

inline constexpr std::size_t kib = 1024;
inline constexpr std::size_t mib = 1024 * kib;

// A point on, or a span of, a monotonic clock, in nanoseconds.
using Nanos = std::int64_t;

inline constexpr Nanos microsecond = 1'000;
inline constexpr Nanos millisecond = 1'000'000;
inline constexpr Nanos second = 1'000'000'000;

// `now` and `patience` later; no later than the clock can tell, which is "without an end".
constexpr Nanos moment_after(Nanos now, Nanos patience) noexcept {
  constexpr Nanos last = std::numeric_limits<Nanos>::max();
  return patience > 0 && now > last - patience ? last : now + patience;
}

// Rounds up to a multiple of a power of two.
constexpr std::size_t align_up(std::size_t bytes, std::size_t alignment) noexcept {
  return (bytes + alignment - 1) & ~(alignment - 1);
}

}  // namespace abuzz::base
