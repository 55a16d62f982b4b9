#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "bus/error.hpp"

namespace abuzz::tools {

// Lines of a descriptor, one at a time, with a bound: a line that is too long is told, never cut.
// The last line counts also without its newline.
class LineReader {
 public:
  enum class Event { line, end, too_long, failed, interrupted };

  // While `interrupt_descriptor` is readable (-1: none), next() does not wait for more input.
  LineReader(int descriptor, int interrupt_descriptor, std::size_t line_bytes_max);

  // `line` is valid until the next call. After end, too_long or failed nothing more comes.
  Event next(std::string_view& line);
  // Of the line that next() told about last, from 1.
  std::uint64_t number() const noexcept { return number_; }
  std::string fault() const;

 private:
  Event read_more();

  int descriptor_;
  int interrupt_descriptor_;
  std::size_t line_bytes_max_;
  std::string buffer_;
  std::size_t begin_ = 0;    // of what was not handed out yet
  std::size_t scanned_ = 0;  // no newline stands before this place
  std::uint64_t number_ = 0;
  bool at_end_ = false;
  int cause_ = 0;  // errno
};

// All that a descriptor gives, up to its end; more than `bytes_max` is refused, not cut.
Result<std::string> read_whole(int descriptor, std::size_t bytes_max);

}  // namespace abuzz::tools
