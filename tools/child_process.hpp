#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "bus/error.hpp"

namespace abuzz::tools {

// A command of the user's, run by `/bin/sh -c` in a process group of its own: bytes go to its
// stdin, its stdout is collected, its stderr is ours. Its end is waited for, and nothing of its
// group outlives the object.
//
// Threads: one.
class ChildProcess {
 public:
  // `output_bytes_max`: what it may write. `environment`: NAME=value, beside our own.
  ChildProcess(std::string_view input, std::size_t output_bytes_max) noexcept;
  ~ChildProcess();  // SIGKILL, if it still runs
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  Status start(const std::string& command, const std::vector<std::string>& environment);
  // Feeds and reads for at most `patience`; true once it has ended, or wrote more than it may.
  bool work(std::chrono::milliseconds patience);
  // SIGTERM for its whole group; after `patience` SIGKILL. Returns when it has ended.
  void end(std::chrono::milliseconds patience);

  const std::string& output() const noexcept { return output_; }
  bool wrote_too_much() const noexcept { return wrote_too_much_; }
  // Requires: work() answered true. Empty if it exited with 0; else for people: "exit code 3".
  std::string fault() const;

 private:
  void feed();
  bool read_some();
  bool has_exited();

  const std::string_view input_;
  const std::size_t output_bytes_max_;
  std::size_t fed_ = 0;
  std::string output_;
  pid_t pid_ = 0;  // 0: none, or it was waited for
  pid_t group_ = 0;
  int to_child_ = -1, from_child_ = -1;
  int status_ = 0;
  bool wrote_too_much_ = false;
};

}  // namespace abuzz::tools
