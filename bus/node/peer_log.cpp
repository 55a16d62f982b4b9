#include "bus/node/peer_log.hpp"

#include <array>
#include <cstddef>
#include <utility>

namespace abuzz::node {
namespace {

constexpr std::size_t line_bytes_max = 400;
constexpr std::array<std::string_view, 4> level_names{"error", "warn", "info", "debug"};

LogLevel level_of(std::string_view name) noexcept {
  for (std::size_t index = 0; index < level_names.size(); ++index) {
    if (level_names[index] == name) return static_cast<LogLevel>(index);
  }
  return LogLevel::info;
}

}  // namespace

std::string escape_line(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string shown;
  for (const char c : text) {
    if (shown.size() >= line_bytes_max) return shown + "...";
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F) {
      shown += c;
    } else {
      shown.append("\\x").append(1, digits[byte >> 4u]).append(1, digits[byte & 15u]);
    }
  }
  return shown;
}

PeerLog::PeerLog(const LogConfig& config, LogSink sink)
    : sink_(std::move(sink)),
      lines_max_(sink_ ? config.peer_lines_per_second : 0),
      level_(level_of(config.level)) {}

void PeerLog::write(LogLevel level, std::string_view line, base::Nanos now) {
  if (!takes(level)) return;
  if (now >= second_since_ + base::second) {
    second_since_ = now;
    lines_ = 0;
    tell_left_out();
  }
  if (lines_ >= lines_max_) {
    ++left_out_;
    return;
  }
  tell(level, line);
}

std::size_t PeerLog::do_work(base::Nanos now) {
  if (left_out_ == 0 || now < next_deadline()) return 0;
  second_since_ = now;
  lines_ = 0;
  tell_left_out();
  return 1;
}

void PeerLog::finish(base::Nanos now) {
  second_since_ = now;
  tell_left_out();
}

base::Nanos PeerLog::next_deadline() const noexcept {
  return left_out_ > 0 ? second_since_ + base::second : -1;
}

void PeerLog::tell(LogLevel level, std::string_view line) {
  ++lines_;
  sink_(std::string(level_names[static_cast<std::size_t>(level)]) + " " + escape_line(line));
}

void PeerLog::tell_left_out() {
  if (left_out_ == 0) return;
  const std::string line =
      std::to_string(std::exchange(left_out_, 0)) +
      " more lines about agents and callers were left out (log.peer_lines_per_second)";
  tell(LogLevel::warn, line);
}

}  // namespace abuzz::node
