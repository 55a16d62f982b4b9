#pragma once

#include <string>

#include "bench/bench.hpp"

namespace abuzz::bench {

// A command that makes the runs of such a plan again, and no others.
std::string command_for(const RunPlan& plan, const BenchOptions& options);

}  // namespace abuzz::bench
