#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace abuzz::tools {

// Buffered bytes to stdout (or another descriptor). Nothing is lost silently: what cannot be
// written is known to flush() and finish(). Not std::cout, which hides why a write failed.
class Output {
 public:
  enum class State { open, reader_left, failed, interrupted };

  // `interrupt_descriptor`: while it is readable, flush() does not wait for a slow reader but
  // answers `interrupted`; -1 for none.
  explicit Output(int descriptor = 1, int interrupt_descriptor = -1);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void append(std::string_view bytes) { pending_.append(bytes); }
  std::string& pending() noexcept { return pending_; }  // for writers that append in place
  // Writes everything. After reader_left or failed it writes nothing any more.
  State flush();
  // From now on a slow reader is waited for at most this long, in all; then `interrupted`.
  void hurry(std::chrono::milliseconds patience);
  // Whether the reader of a pipe or socket went away, without writing.
  bool reader_left();
  // flush, and the exit code: `code`, also when the reader left; 1 with a complaint when it failed.
  int finish(int code);
  bool is_terminal() const noexcept { return is_terminal_; }

 private:
  // False: interrupted, or the deadline of hurry() passed.
  bool wait_writable();

  std::string pending_;
  int descriptor_;
  int interrupt_descriptor_;
  bool is_terminal_;
  bool may_block_;  // a pipe, socket or terminal: its reader may be slow
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
  State state_ = State::open;
  int cause_ = 0;  // errno of the write that failed
};

// Occupies stdin, stdout and stderr where the caller closed them: a socket that took such a number
// would be written to by mistake. Writing to what stands in answers an error.
void occupy_standard_descriptors();

// Prints to stdout and answers the exit code.
int print_and_end(std::string_view text, int code = 0);

enum class Shade { plain, bold, dim, good, warn, bad };
// Whether `descriptor` is a terminal that wants colour: NO_COLOR and TERM=dumb say no.
bool wants_colour(int descriptor);
std::string shaded(std::string_view text, Shade shade, bool colour);

// Text of others made safe to show: control bytes, which could drive the terminal, as \xNN.
std::string printable(std::string_view text);
// The same between single quotes, for complaints.
std::string in_quotes(std::string_view text);

// Columns for people. Cells are shown through printable().
class Table {
 public:
  struct Column {
    std::string title;
    bool is_number = false;  // right-aligned
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // Requires: as many cells as columns.
  void add(std::vector<std::string> cells);
  bool empty() const noexcept { return rows_.empty(); }
  std::string print(bool colour) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace abuzz::tools
