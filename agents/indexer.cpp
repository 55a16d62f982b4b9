#include <chrono>
#include <string>
#include <string_view>

#include "agents/program.hpp"
#include "agents/team_talk.hpp"
#include "agents/words.hpp"
#include "bus/agent.hpp"

// Counts the words of the lines that it is sent, and passes the counts on from time to time.

namespace abuzz::demo {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 30s;
constexpr auto ready_interval = 20ms;
constexpr std::size_t lines_between_parts = 20'000;
constexpr std::size_t part_bytes_max = 32 * 1024;

class Indexer {
 public:
  explicit Indexer(Publisher& counts) : counts_(counts) {}

  void take(const MessageView& message) {
    const bool is_end = message.key() == static_cast<std::uint64_t>(Kind::end);
    check_.take(message.sequence(), is_end, message.text());
    if (is_end) return;
    words_.add(message.text());
    if (check_.count() % lines_between_parts == 0) pass_on();
  }
  bool has_begun() const noexcept { return check_.count() != 0 || check_.is_ended(); }
  bool is_done() const noexcept { return check_.is_ended() || status_ != SendStatus::queued; }

  // What is left, and how many parts there were.
  bool end() {
    pass_on();
    if (status_ != SendStatus::queued) return false;
    const auto key = static_cast<std::uint64_t>(Kind::end);
    return counts_.publish(std::to_string(parts_), patience, {.key = key}) == SendStatus::queued;
  }
  const StreamCheck& check() const noexcept { return check_; }
  std::uint64_t parts() const noexcept { return parts_; }

 private:
  void pass_on() {
    words_.encode(part_bytes_max, [this](std::string_view part) {
      status_ = counts_.publish(part, patience);
      if (status_ == SendStatus::queued) ++parts_;
      return status_ == SendStatus::queued;
    });
    words_.clear();
  }

  Publisher& counts_;
  Words words_;  // since the last part
  StreamCheck check_;
  std::uint64_t parts_ = 0;
  SendStatus status_ = SendStatus::queued;
};

Status work(const Options& options) {
  const std::string name = "indexer-" + std::to_string(options.index);
  auto agent = Agent::connect({.name = name + "-" + options.run, .kind = "demo indexer"});
  if (!agent) return agent.failure();
  auto counts = agent.value().publisher(counts_topic(options.run, options.index));
  if (!counts) return counts.failure();
  auto ready = agent.value().publisher(ready_topic(options.run, name));
  if (!ready) return ready.failure();
  auto lines = agent.value().subscribe(lines_topic(options.run, options.index));
  if (!lines) return lines.failure();

  Indexer indexer(counts.value());
  const Handler take = [&indexer](const MessageView& line) { indexer.take(line); };
  while (!indexer.is_done()) {
    if (!indexer.has_begun() && ready.value().try_publish("ready") == SendStatus::closed) {
      return Failure{Error::closed, name};
    }
    lines.value().poll(take, 1024, ready_interval);
    if (!lines.value().is_live()) return Failure{Error::stalled_out, name};
  }
  if (!indexer.end()) return Failure{Error::back_pressured, "the collector took nothing for 30 s"};

  const FlushReport flushed = counts.value().flush(patience);
  const SubscriptionReport received = lines.value().report();
  Report report;
  report.event = "done";
  report.numbers["messages"] = indexer.check().count();
  report.numbers["parts"] = indexer.parts();
  report.numbers["batches"] = received.batches;
  report.numbers["lost"] = indexer.check().wrong() + received.gaps + received.corrupt;
  add_outcome(report, flushed);
  tell(report);
  return Done{};
}

}  // namespace
}  // namespace abuzz::demo

int main(int argc, char** argv) {
  return abuzz::demo::run_program(argc, argv, "Counts the words of the lines that it is sent",
                                  abuzz::demo::work);
}
