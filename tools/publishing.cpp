#include "tools/publishing.hpp"

#include <utility>

#include "tools/command_line.hpp"
#include "tools/lines.hpp"

namespace abuzz::tools {
namespace {

// One wait is at most this long, so that signals and the lack of progress are noticed.
constexpr std::chrono::milliseconds patience_step{50};
// Looking for a signal is a system call, so it is not done for every message.
constexpr std::uint64_t messages_between_looks = 64;

}  // namespace

Publishing::Publishing(const Pace& pace, const Config& config, Signals& signals,
                       Publisher& publisher)
    : pace_(pace), config_(config), signals_(signals), publisher_(publisher) {}

void Publishing::publish_text(std::string_view text, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count && stop_ == Stop::none; ++i) publish(text);
}

void Publishing::publish_lines() {
  const std::size_t bytes_max = config_.limits.payload_bytes_max;
  LineReader lines(0, signals_.descriptor(), bytes_max);
  while (stop_ == Stop::none) {
    std::string_view line;
    switch (lines.next(line)) {
      case LineReader::Event::line:
        publish(line);
        break;
      case LineReader::Event::interrupted:
        notice_signal();
        break;
      case LineReader::Event::end:
        return;
      case LineReader::Event::too_long:
        return fail(Stop::input, {Error::too_large,
                                  "line " + std::to_string(lines.number()) +
                                      " of stdin is longer than limits.payload_bytes_max, " +
                                      format_bytes(bytes_max) +
                                      "; the lines before it were published, it and those after "
                                      "it were not"});
      case LineReader::Event::failed:
        return fail(Stop::input, {Error::unreadable_input, "stdin: " + lines.fault()});
    }
  }
}

void Publishing::settle() {
  mark_progress();
  while (stop_ == Stop::none || stop_ == Stop::input) {
    report_ = publisher_.flush(patience_step);
    if (report_.pending == 0) return;
    if (notice_signal() || !has_progress()) break;
  }
  report_ = publisher_.report();
}

void Publishing::publish(std::string_view payload) {
  if (pace_.rate > 0 && !wait_for_turn()) return;
  if (published_ % messages_between_looks == 0 && notice_signal()) return;
  bool is_first_try = true;
  while (stop_ == Stop::none) {
    switch (publisher_.publish(payload, patience_step, pace_.each)) {
      case SendStatus::queued:
        ++published_;
        return;
      case SendStatus::back_pressured:
        if (is_first_try) mark_progress();
        is_first_try = false;
        if (notice_signal() || !has_progress()) return;
        break;
      case SendStatus::too_large:
        return fail(Stop::input, {Error::too_large,
                                  format_bytes(payload.size()) + ", and at most " +
                                      format_bytes(config_.limits.payload_bytes_max) + " may be"});
      case SendStatus::closed:
        return fail(Stop::closed, {Error::closed, "the agent's session ended"});
    }
  }
}

// Open loop: message i is due at start + i/rate, however late the others were.
bool Publishing::wait_for_turn() {
  const std::chrono::duration<double> since_start(static_cast<double>(published_) / pace_.rate);
  const auto due = start_ + std::chrono::duration_cast<std::chrono::nanoseconds>(since_start);
  for (auto now = Clock::now(); now < due; now = Clock::now()) {
    signal_ = signals_.wait(due - now);
    if (signal_ != 0) {
      stop_ = Stop::signal;
      return false;
    }
  }
  return true;
}

bool Publishing::notice_signal() {
  signal_ = signals_.take();
  if (signal_ != 0) stop_ = Stop::signal;
  return signal_ != 0;
}

std::uint64_t Publishing::settled_count() const {
  const FlushReport known = publisher_.report();
  return known.delivered + known.no_subscriber + known.dropped + known.unknown;
}

void Publishing::mark_progress() {
  progress_time_ = Clock::now();
  progress_ = settled_count();
}

bool Publishing::has_progress() {
  if (settled_count() != progress_) mark_progress();
  if (Clock::now() - progress_time_ < pace_.timeout) return true;
  stop_ = Stop::no_progress;
  return false;
}

void Publishing::fail(Stop stop, Failure failure) {
  stop_ = stop;
  failure_ = std::move(failure);
}

}  // namespace abuzz::tools
