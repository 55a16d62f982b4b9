#pragma once

#include <cstdint>

#include "bench/role_report.hpp"

namespace abuzz::bench {

// The percentiles that are told, by the names that reports, files and --slo give them.
struct Percentile {
  const char* name;
  double share;
  std::uint64_t RoleReport::*value;
};
inline constexpr Percentile percentiles[] = {
    {"p50", 0.5, &RoleReport::p50_ns},         {"p90", 0.9, &RoleReport::p90_ns},
    {"p99", 0.99, &RoleReport::p99_ns},        {"p99.9", 0.999, &RoleReport::p999_ns},
    {"p99.99", 0.9999, &RoleReport::p9999_ns}, {"max", 1, &RoleReport::max_ns},
};

// Whether so many values have a percentile that is not just the largest of them.
constexpr bool is_resolved(const Percentile& percentile, std::uint64_t timed) noexcept {
  return percentile.share == 1 || static_cast<double>(timed) * (1 - percentile.share) >= 0.999;
}

constexpr double micros(std::uint64_t ns) noexcept {
  return static_cast<double>(ns) / 1000;
}

}  // namespace abuzz::bench
