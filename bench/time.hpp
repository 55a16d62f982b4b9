#pragma once

#include <chrono>
#include <cstdint>

// Time inside the benchmark: nanoseconds of the monotonic clock, which all processes of one host
// share. The raw control uses it too, so nothing of bus/ stands here.

namespace abuzz::bench {

inline constexpr std::int64_t millisecond_ns = 1'000'000;
inline constexpr std::int64_t second_ns = 1'000'000'000;

inline std::int64_t now_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace abuzz::bench
