#include "tools/terminal.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "tools/complaint.hpp"

namespace abuzz::tools {
namespace {

// A pipe that poll() calls writable has room for this much (PIPE_BUF), so such a write never waits.
constexpr std::size_t patient_write_bytes = 4096;

// Places on the screen: bytes that start a character. Wide characters count as one, but names and
// topics are ASCII.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u;
  }));
}

}  // namespace

Output::Output(int descriptor, int interrupt_descriptor)
    : descriptor_(descriptor),
      interrupt_descriptor_(interrupt_descriptor),
      is_terminal_(::isatty(descriptor) == 1) {
  struct stat facts {};
  const bool known = ::fstat(descriptor, &facts) == 0;
  may_block_ = known && !S_ISREG(facts.st_mode) && interrupt_descriptor >= 0;
}

bool Output::wait_writable() {
  using std::chrono::milliseconds;
  const bool hurries = deadline_ != std::chrono::steady_clock::time_point::max();
  for (;;) {
    int patience_ms = -1;
    if (hurries) {
      const auto left = deadline_ - std::chrono::steady_clock::now();
      patience_ms =
          std::max(0, static_cast<int>(std::chrono::duration_cast<milliseconds>(left).count()));
    }
    // In a hurry the interruption has happened already: its descriptor says nothing new.
    pollfd wanted[2] = {{descriptor_, POLLOUT, 0},
                        {hurries ? -1 : interrupt_descriptor_, POLLIN, 0}};
    const int ready = ::poll(wanted, 2, patience_ms);
    if (ready >= 0) return wanted[0].revents != 0;
    if (errno != EINTR) return true;  // let write() say what is wrong
  }
}

void Output::hurry(std::chrono::milliseconds patience) {
  deadline_ = std::chrono::steady_clock::now() + patience;
}

Output::State Output::flush() {
  if (state_ == State::interrupted) state_ = State::open;
  std::size_t written = 0;
  while (state_ == State::open && written < pending_.size()) {
    std::size_t bytes = pending_.size() - written;
    if (may_block_) {
      if (!wait_writable()) {
        state_ = State::interrupted;
        break;
      }
      bytes = std::min(bytes, patient_write_bytes);
    }
    const ssize_t done = ::write(descriptor_, pending_.data() + written, bytes);
    if (done >= 0) {
      written += static_cast<std::size_t>(done);
    } else if (errno == EPIPE || errno == ECONNRESET) {
      state_ = State::reader_left;
    } else if (errno == EAGAIN) {
      pollfd wanted{descriptor_, POLLOUT, 0};
      ::poll(&wanted, 1, 100);
    } else if (errno != EINTR) {
      state_ = State::failed;
      cause_ = errno;
    }
  }
  if (state_ == State::open) {
    pending_.clear();
  } else {
    pending_.erase(0, written);
  }
  return state_;
}

bool Output::reader_left() {
  if (state_ == State::open) {
    pollfd wanted{descriptor_, 0, 0};
    if (::poll(&wanted, 1, 0) > 0 && (wanted.revents & (POLLERR | POLLHUP)) != 0) {
      state_ = State::reader_left;
    }
  }
  return state_ == State::reader_left;
}

int Output::finish(int code) {
  if (flush() != State::failed) return code;
  return complain({Error::system, std::string("write to stdout: ") + std::strerror(cause_)});
}

void occupy_standard_descriptors() {
  for (int descriptor = 0; descriptor < 3; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    // The lowest free number is the one that is missing.
    if (::open("/dev/null", O_RDONLY) < 0) return;
  }
}

int print_and_end(std::string_view text, int code) {
  Output output;
  output.append(text);
  return output.finish(code);
}

bool wants_colour(int descriptor) {
  const char* refused = std::getenv("NO_COLOR");
  if (refused != nullptr && *refused != '\0') return false;
  const char* kind = std::getenv("TERM");
  if (kind == nullptr || std::string_view(kind) == "dumb") return false;
  return ::isatty(descriptor) == 1;
}

std::string shaded(std::string_view text, Shade shade, bool colour) {
  if (!colour || shade == Shade::plain) return std::string(text);
  const char* code = "";
  switch (shade) {
    case Shade::bold:
      code = "\x1b[1m";
      break;
    case Shade::dim:
      code = "\x1b[2m";
      break;
    case Shade::good:
      code = "\x1b[32m";
      break;
    case Shade::warn:
      code = "\x1b[33m";
      break;
    case Shade::bad:
      code = "\x1b[31m";
      break;
    case Shade::plain:
      break;
  }
  return std::string(code).append(text).append("\x1b[0m");
}

std::string printable(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // Controls, and the lead byte of those in Latin-1 (U+0080 to U+009F), which terminals obey too.
    const bool leads_control =
        byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (byte >= 0x20 && byte != 0x7F && !leads_control) {
      shown += text[i];
      continue;
    }
    constexpr std::string_view digits = "0123456789abcdef";
    shown += "\\x";
    shown += digits[byte >> 4u];
    shown += digits[byte & 15u];
  }
  return shown;
}

std::string in_quotes(std::string_view text) {
  std::string shown(1, '\'');
  return shown.append(printable(text)).append(1, '\'');
}

void Table::add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = printable(cell);
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::print(bool colour) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = width_of(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, width_of(row[i]));
    widths.push_back(width);
  }
  std::string text;
  const auto print_line = [&](const auto& cell_of, Shade shade) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = cell_of(i);
      const std::string gap(widths[i] - width_of(cell), ' ');
      if (i != 0) line += "  ";
      line += columns_[i].is_number ? gap + cell : cell + gap;
    }
    line.resize(line.find_last_not_of(' ') + 1);
    text += shaded(line, shade, colour) + "\n";
  };
  print_line([&](std::size_t i) -> const std::string& { return columns_[i].title; }, Shade::bold);
  for (const auto& row : rows_) {
    print_line([&](std::size_t i) -> const std::string& { return row[i]; }, Shade::plain);
  }
  return text;
}

}  // namespace abuzz::tools
