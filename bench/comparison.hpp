#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/cost.hpp"
#include "bench/verdict.hpp"

namespace abuzz::bench {

struct BenchOptions;

// This build beside another one. Time is judged from short runs in pairs, in random order; what a
// message costs in instructions, where valgrind is there and time cannot tell.
struct Comparison {
  std::vector<Judge> judges;  // time a message, CPU a message; none of a stored file
  std::optional<Cost> ours, theirs;
  Verdict instructions = Verdict::undecided;
  Verdict verdict = Verdict::undecided;
  double seconds = 0;
};

// Judges the cost of a message alone.
Verdict judge_cost(const Cost& ours, const Cost& theirs, double gate) noexcept;

// Runs `--against BUILD`: until it is decided, or the limit is over. Prints. The exit code: 6 when
// a gate was asked for and this build is slower.
int run_comparison(const BenchOptions& options);

// Runs the scenario `cost`: counts, prints and writes; with `--against FILE` compares.
int run_cost(const BenchOptions& options);

}  // namespace abuzz::bench
