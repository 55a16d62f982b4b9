#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "bus/error.hpp"

namespace abuzz::bench {

// What one message costs from publisher to handler, in figures that are the same on every host with
// the same build: counted by callgrind while node, publisher and subscriber go through messages in
// lockstep (peers/abuzz_lockstep.cpp).
struct Cost {
  std::size_t bytes = 0;                                      // of a payload
  std::uint64_t messages = 0;                                 // counted, in each run
  double instructions = 0;                                    // of the functions that repeat
  double system_calls = 0, allocations = 0, moved_bytes = 0;  // medians of the runs
  std::map<std::string, double> functions;                    // instructions, those that repeat
  std::set<std::string> others;                               // functions that do not
};

inline constexpr unsigned cost_runs = 3;

bool has_valgrind();
// `program`: an `abuzz`; empty: this one. Takes about a quarter of a minute. Failure as run_once.
Result<Cost> measure_cost(const std::string& program, std::size_t bytes, int& signal);

// By how much more than the other one, over the functions that repeat in both, and those that only
// one has. Of one build it is 1 within about a hundredth. 0: nothing repeats in both.
double instruction_ratio(const Cost& ours, const Cost& theirs) noexcept;

}  // namespace abuzz::bench
