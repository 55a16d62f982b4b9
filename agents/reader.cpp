#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agents/program.hpp"
#include "agents/team_talk.hpp"
#include "agents/texts.hpp"
#include "bus/agent.hpp"

// Publishes the lines of texts, in turns to the indexers.

namespace abuzz::demo {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto patience = 30s;

std::uint64_t now_ns() {
  const auto since_start = steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(since_start).count());
}

// Until all indexers and the collector have said that they are subscribed.
Status await_team(Agent& agent, const Options& options) {
  auto subscription = agent.subscribe(ready_pattern(options.run));
  if (!subscription) return subscription.failure();
  std::set<std::string, std::less<>> ready;
  const Handler hear = [&ready](const MessageView& message) {
    ready.emplace(last_token(message.topic()));
  };
  const auto deadline = steady_clock::now() + patience;
  while (ready.size() < options.indexers + 1) {
    subscription.value().poll(hear, 64, 100ms);
    if (steady_clock::now() < deadline) continue;
    return Failure{Error::timed_out, std::to_string(ready.size()) + " of " +
                                         std::to_string(options.indexers + 1) +
                                         " agents of the run " + options.run + " are there"};
  }
  return Done{};
}

class Reader {
 public:
  Reader(std::vector<Publisher> publishers, std::size_t line_bytes_max)
      : publishers_(std::move(publishers)), line_bytes_max_(line_bytes_max) {}

  Status read(const Texts& texts) {
    for (const TextFile& file : texts.files) {
      const Status status =
          for_each_line(file, line_bytes_max_, [this](std::string_view line) { return put(line); });
      if (!status) return status;
      if (put_status_ != SendStatus::queued) return not_taken();
    }
    return end();
  }

  Report report() {
    Report report;
    report.numbers["messages"] = messages_;
    report.numbers["bytes"] = bytes_;
    report.numbers["parts"] = publishers_.size();
    return report;
  }
  // Waits until it is known what became of every message.
  Report outcome() {
    Report report = this->report();
    for (Publisher& publisher : publishers_) add_outcome(report, publisher.flush(patience));
    return report;
  }

 private:
  // The file's callback: false ends the reading.
  bool put(std::string_view line) {
    Publisher& publisher = publishers_[messages_ % publishers_.size()];
    put_status_ = publisher.publish(line, patience);
    if (put_status_ != SendStatus::queued) return false;
    ++messages_;
    bytes_ += line.size();
    constexpr std::uint64_t progress_messages = 65'536;
    if (messages_ % progress_messages == 0) {
      Report progress = report();
      progress.event = "progress";
      tell(progress);
    }
    return true;
  }
  Status end() {
    for (std::size_t index = 0; index < publishers_.size(); ++index) {
      const std::uint64_t ahead = messages_ % publishers_.size() > index ? 1 : 0;
      const std::string count = std::to_string(messages_ / publishers_.size() + ahead);
      const auto key = static_cast<std::uint64_t>(Kind::end);
      put_status_ = publishers_[index].publish(count, patience, {.key = key});
      if (put_status_ != SendStatus::queued) return not_taken();
    }
    return Done{};
  }
  Failure not_taken() const {
    if (put_status_ == SendStatus::too_large) return {Error::too_large, "a line"};
    if (put_status_ == SendStatus::closed) return {Error::closed, "the agent"};
    return {Error::back_pressured, "an indexer took nothing for 30 s"};
  }

  std::vector<Publisher> publishers_;
  const std::size_t line_bytes_max_;
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
  SendStatus put_status_ = SendStatus::queued;
};

Status work(const Options& options) {
  auto texts = options.list.empty() ? find_texts(options.paths) : read_list(options.list);
  if (!texts) return texts.failure();
  auto config = config_from_environment();
  if (!config) return config.failure();
  auto agent = Agent::connect({.name = "reader-" + options.run, .kind = "demo reader"});
  if (!agent) return agent.failure();

  std::vector<Publisher> publishers;
  for (std::uint64_t index = 0; index < options.indexers; ++index) {
    auto publisher = agent.value().publisher(lines_topic(options.run, index));
    if (!publisher) return publisher.failure();
    publishers.push_back(std::move(publisher).value());
  }
  const Status team = await_team(agent.value(), options);
  if (!team) return team;

  const std::uint64_t start_ns = now_ns();
  Reader reader(std::move(publishers), config.value().limits.payload_bytes_max);
  const Status status = reader.read(texts.value());
  if (!status) return status;
  Report report = reader.outcome();
  report.event = "done";
  report.text = agent.value().link();
  report.numbers["start_ns"] = start_ns;
  tell(report);
  return Done{};
}

}  // namespace
}  // namespace abuzz::demo

int main(int argc, char** argv) {
  return abuzz::demo::run_program(argc, argv, "Publishes the lines of texts, in turns to indexers",
                                  abuzz::demo::work);
}
