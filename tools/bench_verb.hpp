#pragma once

#include <string>
#include <vector>

#include "tools/settings.hpp"

namespace abuzz::tools {

// `abuzz bench WORDS`, and the config flags that were taken out of them. Returns the exit code.
// Requires: this process has no other threads.
int run_bench(const std::vector<std::string>& words, const SharedFlags& settings);

}  // namespace abuzz::tools
