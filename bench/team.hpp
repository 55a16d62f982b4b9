#pragma once

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/child.hpp"
#include "bus/error.hpp"

namespace abuzz::bench {

enum class TeamEventKind : std::uint8_t {
  line,       // a child wrote one
  ended,      // a child ended, and all its lines were taken
  signalled,  // this process was sent SIGINT, SIGTERM or SIGHUP
  timed_out,  // nothing of these until the deadline
};

struct TeamEvent {
  TeamEventKind kind = TeamEventKind::timed_out;
  std::size_t child = 0;
  std::string line;
  int number = 0;  // of the signal; of `ended`, the exit code
};

// Some children and the signals of this process, watched together.
//
// While one lives, SIGINT, SIGTERM and SIGHUP are events instead of the end, and SIGPIPE is
// ignored; the destructor ends and reaps the children, then puts both back. One at a time, one
// thread, in a process that has no other threads that take signals.
class Team {
 public:
  Team();
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // The index of the child, from 0.
  Result<std::size_t> add(const Command& command);
  Child& operator[](std::size_t index) noexcept { return children_[index]; }
  std::size_t size() const noexcept { return children_.size(); }
  std::size_t running_count() const noexcept;

  // `deadline_ns` on the monotonic clock.
  TeamEvent wait(std::int64_t deadline_ns);
  // Closes the inputs, so that children end by themselves and end theirs; kills what still runs
  // after a second.
  void end() noexcept;

 private:
  bool take_event(TeamEvent& event);

  std::vector<Child> children_;
  sigset_t mask_before_;
  void (*pipe_before_)(int);
  int signals_ = -1;
};

}  // namespace abuzz::bench
