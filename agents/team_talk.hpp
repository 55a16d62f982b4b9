#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bus/publisher.hpp"

// What the agents of the demo agree on: the names of their topics, what a message on them is, and
// what each tells whoever started it.
//
//   reader ---- demo.RUN.lines.I ----> indexer I     one text line a message, then one `end`
//   indexer I - demo.RUN.counts.I ---> collector     words and how often, then one `end`
//   all ------- demo.RUN.ready.NAME -> reader        "I am subscribed", repeated until work comes
//
// The agents may start in any order. Each subscribes first and is confirmed, then says that it is
// ready again and again, because the reader may not listen yet. The reader begins when it has heard
// everybody, so nothing is published before its receiver is there. A second subscriber, such as
// `abuzz sub 'demo.>'`, changes nothing.

namespace abuzz::demo {

// Key of a message (MessageOptions::key).
enum class Kind : std::uint64_t {
  data = 0,
  end = 1,  // the last of this publisher; the payload is how many `data` went before
};

std::string lines_topic(const std::string& run, std::uint64_t indexer);
std::string counts_topic(const std::string& run, std::uint64_t indexer);
std::string counts_pattern(const std::string& run);
std::string ready_topic(const std::string& run, const std::string& name);
std::string ready_pattern(const std::string& run);
// The last token of a topic.
std::string_view last_token(std::string_view topic) noexcept;

// One line on stdout, as JSON.
struct Report {
  std::string event{};  // "progress", "done", "failed"
  std::string text{};   // why it failed, or which link it uses
  std::map<std::string, std::uint64_t> numbers{};
  std::vector<std::pair<std::string, std::uint64_t>> top{};  // words
};
std::string encode(const Report& report);
bool decode(std::string_view line, Report& report);
// Adds what became of published messages; all but `delivered` is also added to "lost".
void add_outcome(Report& report, const FlushReport& flushed);
// Prints it.
void tell(const Report& report);

// What one sender's messages add up to: numbered from 1 without holes, then an end that says how
// many there were.
class StreamCheck {
 public:
  void take(std::uint64_t sequence, bool is_end, std::string_view text);

  std::uint64_t count() const noexcept { return count_; }  // of `data`
  bool is_ended() const noexcept { return is_ended_; }
  // Messages missing, doubled or out of place, and what the sender counted otherwise than we did.
  std::uint64_t wrong() const noexcept;

 private:
  std::uint64_t next_ = 1;
  std::uint64_t count_ = 0;
  std::uint64_t promised_ = 0;
  std::uint64_t wrong_ = 0;
  bool is_ended_ = false;
};

}  // namespace abuzz::demo
