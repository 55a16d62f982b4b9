#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bus/error.hpp"

namespace abuzz::demo {

// The command line of a demo agent.
struct Options {
  std::string run = "run";     // one token, the same for the whole team
  std::uint64_t indexers = 3;  // how many there are
  std::uint64_t index = 0;     // indexer: which one this is, from 0
  std::uint64_t top = 10;      // collector: how many words to report
  std::string list;            // reader, collector: the texts, instead of paths
  std::vector<std::string> paths{"/usr/share/common-licenses"};
};

// main() of a demo agent: reads the options, works, tells how it failed. Returns the exit code.
int run_program(int argc, char** argv, const char* summary, Status (*work)(const Options&));

}  // namespace abuzz::demo
