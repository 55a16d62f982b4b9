#include "bench/statistics.hpp"

#include <algorithm>
#include <cmath>

namespace abuzz::bench {

// Bisection over the error function: 60 steps are exact, and it is asked a few times a second.
double normal_quantile(double share) noexcept {
  double low = -10, high = 10;
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::sqrt(2.0)) / 2 < share ? low : high) = middle;
  }
  return (low + high) / 2;
}

Interval signed_rank_interval(const std::vector<double>& values, double confidence) {
  Interval interval;
  interval.values = values.size();
  if (!interval.is_known()) return interval;
  // The means of all pairs, each value with itself too.
  std::vector<double> means;
  means.reserve(values.size() * (values.size() + 1) / 2);
  for (std::size_t left = 0; left < values.size(); ++left)
    for (std::size_t right = left; right < values.size(); ++right)
      means.push_back((values[left] + values[right]) / 2);
  std::sort(means.begin(), means.end());
  const auto count = static_cast<double>(values.size());
  const auto all = static_cast<double>(means.size());
  const double deviation = std::sqrt(count * (count + 1) * (2 * count + 1) / 24);
  const double rank = std::floor(all / 2 - normal_quantile((1 + confidence) / 2) * deviation);
  // All of the range would be too little.
  if (rank < 0) return Interval{};
  const auto skip = static_cast<std::size_t>(rank);
  interval.low = means[skip];
  interval.high = means[means.size() - 1 - skip];
  const std::size_t middle = means.size() / 2;
  interval.middle = means.size() % 2 == 1 ? means[middle] : (means[middle - 1] + means[middle]) / 2;
  return interval;
}

}  // namespace abuzz::bench
