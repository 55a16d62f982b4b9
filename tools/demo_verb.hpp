#pragma once

namespace abuzz::tools {

// `abuzz demo ...`: argv[0] is "demo". Returns the exit code. Requires: this process has no other
// threads.
int run_demo(int argc, char** argv);

}  // namespace abuzz::tools
