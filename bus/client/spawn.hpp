#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "bus/error.hpp"

namespace abuzz::client {

// A program to be started, in words that need no allocation once it runs.
struct SpawnOrder {
  std::string program;                   // a path
  std::vector<std::string> arguments;    // from argv[0]
  std::vector<std::string> environment;  // NAME=value
  std::string log;                       // file to which stdout and stderr are appended
};

// Starts a program that is no child of this process: nobody has to wait for it, and no SIGCHLD is
// raised. It leads a session of its own, has only stdin (/dev/null), stdout and stderr, default
// signal dispositions, and the CPU mask of this process. The signal mask is the calling thread's,
// but for the signals that ask a program to end: library threads block them, and a daemon that
// cannot be ended is no use.
//
// Threads: any, also while others run; the calling one is suspended until the program runs. Cost:
// about a millisecond, whatever the size of this process.
// Returns the program's pid, or 0 where it cannot be known.
Result<pid_t> spawn_detached(const SpawnOrder& order);

}  // namespace abuzz::client
