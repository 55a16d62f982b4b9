#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "bus/base/units.hpp"
#include "bus/config.hpp"

namespace abuzz::node {

enum class LogLevel : std::uint8_t { error, warn, info, debug };

// Takes one line, without its end.
using LogSink = std::function<void(std::string_view line)>;

// What a node says about its agents and callers: refused, struck, gone.
//
// Threads: one, reception's; the sink is called on it.
// Invariants: at most log.peer_lines_per_second lines in a second that begins with a line, however
// many there would be; those left out are counted, and the next second begins with their number. A
// line holds printable ASCII only, so no peer can write to a terminal or forge a line.
// Cost: allocates.
class PeerLog {
 public:
  // Without a sink it is silent.
  PeerLog(const LogConfig& config, LogSink sink);

  bool takes(LogLevel level) const noexcept { return lines_max_ > 0 && level <= level_; }
  void write(LogLevel level, std::string_view line, base::Nanos now);

  // Tells how many lines were left out, when their second is over; returns the number of lines.
  std::size_t do_work(base::Nanos now);
  // The same at the end of the node.
  void finish(base::Nanos now);
  // When do_work has something to tell; negative: no such time.
  base::Nanos next_deadline() const noexcept;

 private:
  void tell(LogLevel level, std::string_view line);
  void tell_left_out();

  const LogSink sink_;
  const std::uint32_t lines_max_;
  const LogLevel level_;
  base::Nanos second_since_ = -base::second;
  std::uint32_t lines_ = 0;  // in this second
  std::uint64_t left_out_ = 0;
};

// The text with every byte that is not printable ASCII as \xNN, and cut.
std::string escape_line(std::string_view text);

}  // namespace abuzz::node
