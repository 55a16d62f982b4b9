#pragma once

#include <string>
#include <vector>

#include "bench/comparison.hpp"
#include "bench/cost.hpp"

namespace abuzz::bench {

// The file of the scenario `cost`: {"v":1,"kind":"cost","machine":...,"cost":[...]}. Its figures
// are those of the build, not of the host, so it may be committed; `machine` says where it was
// made.
struct StoredCosts {
  std::string machine;
  std::vector<Cost> costs;  // empty when the file is none
};
std::string encode_costs(const std::vector<Cost>& costs, const std::string& machine);
StoredCosts read_costs(const std::string& path);

// What --out and --json get of a comparison.
std::string encode(const BenchOptions& options, const std::string& machine,
                   const Comparison& comparison);

}  // namespace abuzz::bench
