#pragma once

#include <cstddef>
#include <vector>

namespace abuzz::bench {

// Where the middle of a symmetric distribution lies, given some of its values.
struct Interval {
  double low = 0, middle = 0, high = 0;
  std::size_t values = 0;

  double width() const noexcept { return high - low; }
  bool is_known() const noexcept { return values >= values_min; }
  static constexpr std::size_t values_min = 6;
};

// The Hodges-Lehmann estimate and its interval by Wilcoxon's signed ranks: nothing is assumed but
// symmetry (which differences of two measurements in random order have when nothing differs), and a
// few wild values move it little. Within 5 % as narrow as a mean's where that would be right.
// `confidence` such as 0.99. Nothing is known below Interval::values_min values, nor where so many
// cannot have such a confidence: 0.999 takes fourteen.
Interval signed_rank_interval(const std::vector<double>& values, double confidence);

// Of the standard normal distribution: the value that a share of it stays below.
double normal_quantile(double share) noexcept;

}  // namespace abuzz::bench
