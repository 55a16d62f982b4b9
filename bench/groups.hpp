#pragma once

#include <string>
#include <vector>

#include "bench/bench.hpp"
#include "bench/histogram.hpp"

namespace abuzz::bench {

// Runs that repeat each other, as reports show them: one line a group.
struct RunGroup {
  std::vector<const RunResult*> runs;

  const RunPlan& plan() const noexcept { return runs.front()->plan; }
  // "abuzz", "abuzz at 500k/s"
  std::string name() const;
  std::size_t verified_count() const noexcept;
  // Over the verified runs.
  template <class Figure>
  Spread spread(Figure&& figure) const {
    std::vector<double> values;
    for (const RunResult* run : runs)
      if (run->is_verified()) values.push_back(figure(*run));
    return spread_of(std::move(values));
  }
  Histogram latency() const;  // of all verified runs together
};

// In the order of their first runs.
std::vector<RunGroup> groups_of(const BenchReport& report);

}  // namespace abuzz::bench
