#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "agents/program.hpp"
#include "agents/team_talk.hpp"
#include "agents/texts.hpp"
#include "agents/words.hpp"
#include "bus/agent.hpp"

// Merges what the indexers counted, then counts the same texts alone and compares.

namespace abuzz::demo {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto ready_interval = 20ms;

class Collector {
 public:
  explicit Collector(std::uint64_t indexers) : checks_(indexers) {}

  void take(const MessageView& message) {
    const std::string_view token = last_token(message.topic());
    std::uint64_t index = checks_.size();
    std::from_chars(token.data(), token.data() + token.size(), index);
    if (index >= checks_.size()) {
      ++strange_;
      return;
    }
    const bool is_end = message.key() == static_cast<std::uint64_t>(Kind::end);
    checks_[index].take(message.sequence(), is_end, message.text());
    has_begun_ = true;
    if (!is_end && !words_.merge(message.text())) ++strange_;
  }
  bool has_begun() const noexcept { return has_begun_; }
  bool is_done() const noexcept {
    return std::all_of(checks_.begin(), checks_.end(),
                       [](const StreamCheck& check) { return check.is_ended(); });
  }
  const Words& words() const noexcept { return words_; }
  std::uint64_t parts() const noexcept {
    std::uint64_t parts = 0;
    for (const StreamCheck& check : checks_) parts += check.count();
    return parts;
  }
  std::uint64_t wrong() const noexcept {
    std::uint64_t wrong = strange_;
    for (const StreamCheck& check : checks_) wrong += check.wrong();
    return wrong;
  }

 private:
  std::vector<StreamCheck> checks_;  // by indexer
  Words words_;
  std::uint64_t strange_ = 0;
  bool has_begun_ = false;
};

// The same job without a bus.
struct Alone {
  Words words;
  std::uint64_t lines = 0;
  std::uint64_t spent_ns = 0;
};
Result<Alone> count_alone(const Texts& texts, std::size_t line_bytes_max) {
  Alone alone;
  const auto start = steady_clock::now();
  for (const TextFile& file : texts.files) {
    const Status status = for_each_line(file, line_bytes_max, [&alone](std::string_view line) {
      alone.words.add(line);
      ++alone.lines;
      constexpr std::uint64_t progress_lines = 1'000'000;
      if (alone.lines % progress_lines == 0) tell({.event = "progress"});
      return true;
    });
    if (!status) return status.failure();
  }
  alone.spent_ns =
      static_cast<std::uint64_t>(std::chrono::nanoseconds(steady_clock::now() - start).count());
  return alone;
}

Status compare(const Options& options, const Words& words, Report& report) {
  auto texts = options.list.empty() ? find_texts(options.paths) : read_list(options.list);
  if (!texts) return texts.failure();
  auto config = config_from_environment();
  if (!config) return config.failure();
  auto alone = count_alone(texts.value(), config.value().limits.payload_bytes_max);
  if (!alone) return alone.failure();
  report.numbers["equal"] = alone.value().words == words ? 1 : 0;
  report.numbers["lines_alone"] = alone.value().lines;
  report.numbers["words_alone"] = alone.value().words.total();
  report.numbers["distinct_alone"] = alone.value().words.distinct();
  report.numbers["alone_ns"] = alone.value().spent_ns;
  return Done{};
}

Status work(const Options& options) {
  auto agent = Agent::connect({.name = "collector-" + options.run, .kind = "demo collector"});
  if (!agent) return agent.failure();
  auto ready = agent.value().publisher(ready_topic(options.run, "collector"));
  if (!ready) return ready.failure();
  auto counts = agent.value().subscribe(counts_pattern(options.run));
  if (!counts) return counts.failure();

  Collector collector(options.indexers);
  const Handler take = [&collector](const MessageView& part) { collector.take(part); };
  while (!collector.is_done()) {
    if (!collector.has_begun() && ready.value().try_publish("ready") == SendStatus::closed) {
      return Failure{Error::closed, "collector"};
    }
    counts.value().poll(take, 64, ready_interval);
    if (!counts.value().is_live()) return Failure{Error::stalled_out, "collector"};
  }
  const auto end = steady_clock::now().time_since_epoch();
  const SubscriptionReport received = counts.value().report();

  Report report;
  report.event = "done";
  report.numbers["end_ns"] = static_cast<std::uint64_t>(std::chrono::nanoseconds(end).count());
  report.numbers["messages"] = collector.parts();
  report.numbers["batches"] = received.batches;
  report.numbers["lost"] = collector.wrong() + received.gaps + received.corrupt;
  report.numbers["words"] = collector.words().total();
  report.numbers["distinct"] = collector.words().distinct();
  report.top = collector.words().top(options.top);
  const Status compared = compare(options, collector.words(), report);
  if (!compared) return compared;
  tell(report);
  return Done{};
}

}  // namespace
}  // namespace abuzz::demo

int main(int argc, char** argv) {
  return abuzz::demo::run_program(argc, argv, "Merges what the indexers of a run counted",
                                  abuzz::demo::work);
}
