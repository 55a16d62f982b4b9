#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/cost.hpp"
#include "bench/scenario.hpp"
#include "bench/verdict.hpp"

namespace abuzz::bench {

struct BenchOptions;

// This build beside another one. Time is judged from short runs in pairs, in random order; what a
// message costs in instructions, where valgrind is there and time cannot tell: of pubsub, which is
// what can be counted.
struct Comparison {
  // What became of the messages of one build. A run in which one is missing judges nothing.
  struct Side {
    std::uint64_t runs = 0, unverified = 0;
    RoleReport sum;
    void add(const RunResult& run);
  };
  Side our_runs, their_runs;
  std::vector<Judge> judges;  // time a message, CPU a message
  std::optional<Cost> ours, theirs;
  Verdict instructions = Verdict::undecided;
  Verdict verdict = Verdict::undecided;
  double seconds = 0;
};

// Judges the cost of a message alone.
Verdict judge_cost(const Cost& ours, const Cost& theirs, double gate) noexcept;

// Runs `--against BUILD`: until it is decided, or the limit is over. Prints. The exit code: 6 when
// a gate was asked for and this build is slower.
int run_comparison(const BenchOptions& options, const std::string& machine);
// What the other build says that it is; empty when it is no `abuzz`.
std::string version_of(const std::string& build);

// Runs the scenario `cost`: counts, prints and writes; with `--against FILE` compares.
int run_cost(const BenchOptions& options);

}  // namespace abuzz::bench
