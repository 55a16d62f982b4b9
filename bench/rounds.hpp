#pragma once

#include "bench/bench.hpp"

namespace abuzz::bench {

// Makes all runs that the options ask for: size by size, round by round, the systems in turns, so
// that neighbours in time are compared. Fills runs and ratios; progress on a terminal. 0, or the
// exit code with which the benchmark ends early.
int make_runs(BenchReport& report);
// A run as the options ask for it.
RunPlan plan_of(const BenchOptions& options, const std::string& scenario, const System* system,
                std::size_t bytes);

}  // namespace abuzz::bench
