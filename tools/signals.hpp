#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>

namespace abuzz::tools {

// Signals as something to wait for, instead of handlers: they are blocked and read from a
// descriptor, so nothing runs in the middle of anything else and no global state is needed.
//
// Threads: make it before any other thread starts, because threads inherit what is blocked. take
// and wait by one thread at a time; wake by any. One object a process.
class Signals {
 public:
  explicit Signals(std::initializer_list<int> numbers);
  ~Signals();  // the signals get their old meaning back
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // The next signal, or 0. After the first SIGINT, SIGTERM or SIGHUP these end the process at once:
  // a user who asks twice does not want to wait.
  int take() { return wait(std::chrono::nanoseconds(0)); }
  // Waits at most `patience`; 0 at its end, and after wake().
  int wait(std::chrono::nanoseconds patience);
  // Makes one wait() return.
  void wake();
  // Becomes readable when a signal is there; -1 if the system has no signalfd.
  int descriptor() const noexcept { return signal_descriptor_; }

  // Runs `work` here; a signal meanwhile ends the process with 128 + its number. For waiting where
  // nothing could be lost yet.
  void end_process_during(const std::function<void()>& work);

 private:
  void take_wake();

  int signal_descriptor_ = -1;
  int wake_descriptor_ = -1;
};

// What a shell expects after a signal: 130 for SIGINT, 143 for SIGTERM.
constexpr int exit_code_of_signal(int number) noexcept {
  return 128 + number;
}

// SIGPIPE would end a process in the middle of a report; a write tells it with EPIPE as well.
void ignore_broken_pipes();

}  // namespace abuzz::tools
