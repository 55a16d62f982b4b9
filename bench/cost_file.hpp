#pragma once

#include <string>
#include <vector>

#include "bench/comparison.hpp"
#include "bench/cost.hpp"

namespace abuzz::bench {

// The file of the scenario `cost`: {"v":1,"kind":"cost","machine":...,"cost":[...]}. Its figures
// are the same on every host, so it may be committed.
std::string encode_costs(const std::vector<Cost>& costs, const std::string& machine);
// Empty when the file is none.
std::vector<Cost> read_costs(const std::string& path);

// What --out and --json get of a comparison.
std::string encode(const BenchOptions& options, const Comparison& comparison);

}  // namespace abuzz::bench
