#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/bench.hpp"

namespace abuzz::tools {

// The flags of `abuzz bench`, each for itself. 0 and empty: not given.
struct BenchWords {
  std::string scenario;
  std::uint64_t runs = 0, publishers = 0, subscribers = 0;
  std::chrono::nanoseconds duration{0};
  std::string load, gate;
  std::uint64_t seed = 1;
  std::chrono::nanoseconds limit{600'000'000'000};
  std::vector<std::string> peers, only;
  std::vector<std::size_t> sizes;
};

// Whether they belong together, and what they mean; `options` has what was read already: rates,
// conditions, files. Nothing: go on; otherwise the exit code after a complaint.
std::optional<int> read_words(const BenchWords& words, bench::BenchOptions& options);

}  // namespace abuzz::tools
