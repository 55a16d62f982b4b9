#pragma once

namespace abuzz::tools {

// `abuzz bench ...`: argv[0] is "bench". Returns the exit code. Requires: this process has no other
// threads.
int run_bench(int argc, char** argv);

}  // namespace abuzz::tools
