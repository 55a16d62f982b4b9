#include "tools/lines.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace abuzz::tools {
namespace {

constexpr std::size_t read_bytes = 64u << 10u;

}  // namespace

LineReader::LineReader(int descriptor, int interrupt_descriptor, std::size_t line_bytes_max)
    : descriptor_(descriptor),
      interrupt_descriptor_(interrupt_descriptor),
      line_bytes_max_(line_bytes_max) {}

LineReader::Event LineReader::next(std::string_view& line) {
  for (;;) {
    const std::size_t newline = buffer_.find('\n', scanned_);
    const bool is_last = newline == std::string::npos && at_end_ && begin_ < buffer_.size();
    const std::size_t end = newline == std::string::npos ? buffer_.size() : newline;
    if (end - begin_ > line_bytes_max_) {
      ++number_;
      return Event::too_long;
    }
    if (newline != std::string::npos || is_last) {
      line = std::string_view(buffer_).substr(begin_, end - begin_);
      begin_ = scanned_ = is_last ? end : end + 1;
      ++number_;
      return Event::line;
    }
    if (at_end_) return Event::end;
    scanned_ = end;
    const Event event = read_more();
    if (event != Event::line) return event;
  }
}

LineReader::Event LineReader::read_more() {
  buffer_.erase(0, begin_);
  scanned_ -= begin_;
  begin_ = 0;
  pollfd wanted[2] = {{descriptor_, POLLIN, 0}, {interrupt_descriptor_, POLLIN, 0}};
  while (::poll(wanted, 2, -1) < 0) {
    if (errno != EINTR) break;
  }
  if (wanted[1].revents != 0) return Event::interrupted;
  const std::size_t before = buffer_.size();
  buffer_.resize(before + read_bytes);
  const ssize_t taken = ::read(descriptor_, buffer_.data() + before, read_bytes);
  buffer_.resize(before + static_cast<std::size_t>(taken > 0 ? taken : 0));
  if (taken < 0 && errno != EINTR && errno != EAGAIN) {
    cause_ = errno;
    return Event::failed;
  }
  if (taken == 0) at_end_ = true;
  return Event::line;
}

std::string LineReader::fault() const {
  return std::strerror(cause_);
}

Result<std::string> read_whole(int descriptor, std::size_t bytes_max) {
  std::string bytes;
  while (bytes.size() <= bytes_max) {
    const std::size_t before = bytes.size();
    bytes.resize(before + read_bytes);
    const ssize_t taken = ::read(descriptor, bytes.data() + before, read_bytes);
    bytes.resize(before + static_cast<std::size_t>(taken > 0 ? taken : 0));
    if (taken == 0) return bytes;
    if (taken < 0 && errno != EINTR) return Failure{Error::unreadable_input, std::strerror(errno)};
  }
  return Failure{Error::too_large, "more than " + std::to_string(bytes_max) + " bytes on stdin"};
}

}  // namespace abuzz::tools
