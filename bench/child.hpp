#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "bus/error.hpp"

namespace abuzz::bench {

struct Command {
  std::string label;                     // for people: "publisher"
  std::string program;                   // a path
  std::vector<std::string> arguments;    // without the program's name
  std::vector<std::string> environment;  // NAME=value, beside what is inherited
  bool tells_errors = false;             // its stderr goes where its stdout goes
};

// A process that this one started: lines to its stdin, lines from its stdout; its stderr is ours,
// if it is not read with them.
//
// The kernel kills it when the thread that started it ends, however it ends, and the destructor
// kills and reaps it: by its own pid descriptor, so never a stranger. It ignores SIGINT, because
// whoever started it decides what Ctrl-C means. One thread.
class Child {
 public:
  static Result<Child> spawn(const Command& command);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();

  const std::string& label() const noexcept { return label_; }
  int output_fd() const noexcept { return output_; }  // -1 at its end
  int end_fd() const noexcept { return end_; }        // readable once the process has ended
  bool is_running() const noexcept { return pid_ > 0; }
  pid_t pid() const noexcept { return pid_; }

  // Best effort: a child that no longer listens is noticed by its end.
  void tell(std::string_view line) noexcept;
  void close_input() noexcept;
  // Takes what is readable now.
  void read_output();
  // The next whole line that was read.
  bool take_line(std::string& line);

  void signal(int number) noexcept;
  // Waits for the end. The exit code, or 128 + the signal.
  int reap() noexcept;

 private:
  Child() = default;

  std::string label_;
  std::string buffer_;
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
  int end_ = -1;
  int exit_code_ = 0;
};

// The first line that the program says on its stdout when it is given this argument; empty for
// none within two seconds.
std::string first_line_of(const std::string& program, const std::string& argument);

}  // namespace abuzz::bench
