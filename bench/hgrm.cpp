#include <algorithm>
#include <cmath>
#include <cstdio>

#include "bench/groups.hpp"
#include "bench/html_report.hpp"

namespace abuzz::bench {
namespace {

// As HdrHistogram does by default: so many lines each time the distance to 100 % halves.
constexpr double ticks_per_half_distance = 5;

std::string line_of(const Histogram& histogram, double share) {
  const std::uint64_t value = histogram.at(share);
  std::uint64_t below = 0;
  histogram.for_each([&](std::uint64_t bucket, std::uint64_t count) {
    if (bucket <= value) below += count;
  });
  char line[160];
  const int length =
      std::snprintf(line, sizeof line, "%12.3f %14.12f %10llu", static_cast<double>(value) / 1e3,
                    share, static_cast<unsigned long long>(below));
  if (share < 1)
    std::snprintf(line + length, sizeof line - static_cast<std::size_t>(length), " %14.2f",
                  1 / (1 - share));
  return std::string(line) + "\n";
}

// Mean and standard deviation, from buckets that are narrow.
std::string footer_of(const Histogram& histogram) {
  double sum = 0, squares = 0;
  histogram.for_each([&](std::uint64_t value, std::uint64_t count) {
    const double us = static_cast<double>(value) / 1e3, times = static_cast<double>(count);
    sum += us * times;
    squares += us * us * times;
  });
  const auto total = static_cast<double>(histogram.count());
  const double mean = sum / total;
  char text[240];
  std::snprintf(text, sizeof text,
                "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n"
                "#[Max     = %12.3f, Total count    = %12llu]\n",
                mean, std::sqrt(std::max(squares / total - mean * mean, 0.0)),
                static_cast<double>(histogram.max()) / 1e3,
                static_cast<unsigned long long>(histogram.count()));
  return text;
}

}  // namespace

std::string hgrm_of(const Histogram& histogram) {
  std::string out = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";
  const auto total = static_cast<double>(histogram.count());
  // Until one value would be less than the distance that is left.
  for (double share = 0; (1 - share) * total >= 1;) {
    out += line_of(histogram, share);
    const double halvings = std::floor(std::log2(1 / (1 - share))) + 1;
    share += 1 / (ticks_per_half_distance * std::exp2(halvings));
  }
  return out + line_of(histogram, 1) + footer_of(histogram);
}

std::string hgrm_of(const BenchReport& report) {
  std::string out;
  for (const RunGroup& group : groups_of(report)) {
    const Histogram histogram = group.latency();
    if (histogram.count() == 0) continue;
    out += "# " + group.name() + " " + group.plan().title() + ", " +
           std::to_string(group.plan().bytes) + " B, microseconds\n" + hgrm_of(histogram);
  }
  return out;
}

}  // namespace abuzz::bench
