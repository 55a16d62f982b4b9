#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace abuzz::bench {

// What callgrind counted of one run of a program.
struct CallgrindProfile {
  std::map<std::string, std::uint64_t> instructions;  // of each function, without those it calls
  std::uint64_t system_calls = 0;
  std::uint64_t allocations = 0;  // calls of malloc and its like, whoever made them

  bool is_empty() const noexcept { return instructions.empty(); }
};

// Reads what `--tool=callgrind --collect-systime=yes` wrote. Empty when it is something else.
CallgrindProfile read_callgrind(const std::string& path);

// The functions whose count repeats within `tolerance` (0.03: 3 %) in all of the runs, each with
// its median: what a message needs. The others count how often threads looked in vain.
std::map<std::string, std::uint64_t> repeatable(const std::vector<CallgrindProfile>& runs,
                                                double tolerance);

}  // namespace abuzz::bench
