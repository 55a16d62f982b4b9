#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "bus/config.hpp"
#include "bus/error.hpp"
#include "bus/publisher.hpp"
#include "tools/signals.hpp"

namespace abuzz::tools {

// How `pub` publishes.
struct Pace {
  double rate = 0;  // messages a second; 0: as fast as it goes
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);  // without any progress
  MessageOptions each;                                          // of every message
};

// The messages of one `pub`: hands them to the publisher, waits for room and for their outcome, and
// stops for a signal, for want of progress, or for bad input. One thread.
class Publishing {
 public:
  enum class Stop { none, signal, no_progress, closed, input };

  // All are kept by reference.
  Publishing(const Pace& pace, const Config& config, Signals& signals, Publisher& publisher);

  void publish_text(std::string_view text, std::uint64_t count);
  // Each line of stdin. A line that is too long ends it: nothing is cut or skipped.
  void publish_lines();
  // Waits until all is known, as long as there is progress; then takes the report.
  void settle();

  Stop stop() const noexcept { return stop_; }
  int signal() const noexcept { return signal_; }               // after Stop::signal
  const Failure& failure() const noexcept { return failure_; }  // after Stop::closed and input
  std::uint64_t published() const noexcept { return published_; }
  const FlushReport& report() const noexcept { return report_; }

 private:
  using Clock = std::chrono::steady_clock;

  void publish(std::string_view payload);
  bool wait_for_turn();
  bool notice_signal();
  std::uint64_t settled_count() const;
  void mark_progress();
  bool has_progress();
  void fail(Stop stop, Failure failure);

  const Pace& pace_;
  const Config& config_;
  Signals& signals_;
  Publisher& publisher_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point progress_time_ = start_;
  std::uint64_t progress_ = 0;  // settled_count() at progress_time_
  std::uint64_t published_ = 0;
  FlushReport report_;
  Stop stop_ = Stop::none;
  int signal_ = 0;
  Failure failure_;
};

}  // namespace abuzz::tools
