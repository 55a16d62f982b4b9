#include "bench/run.hpp"

#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "bench/heritage.hpp"

namespace abuzz::bench {
namespace {

constexpr std::int64_t end_patience_ns = 30 * second_ns;

}  // namespace

RunDirectory::RunDirectory() {
  std::string pattern = "/tmp/abuzz-bench-XXXXXX";
  if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
}

RunDirectory::~RunDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

Run::Run(const RunPlan& plan, int& signal) : plan_(plan), signal_(signal) {
  if (directory_.path().empty())
    fail({Error::system, std::string("mkdtemp in /tmp: ") + std::strerror(errno)});
}

RoleOptions Run::options_of(const char* role, unsigned number) const {
  RoleOptions options;
  options.role = role;
  options.source = number;
  options.system = plan_.system->name;
  options.directory = directory_.path();
  options.endpoint = endpoint_;
  options.bytes = plan_.bytes;
  options.duration_ns = plan_.duration_ns;
  options.rate = plan_.rate / plan_.publishers;
  options.sources = plan_.publishers;
  options.sinks = plan_.subscribers;
  options.is_polling = plan_.is_polling;
  options.burst = plan_.burst;
  options.may_spin = plan_.may_spin;
  options.messages = plan_.messages;
  if (plan_.load != nullptr) options.load = plan_.load->name;
  return options;
}

std::size_t Run::start(const RoleOptions& options) {
  if (failure_) return 0;
  const std::string role = options.role;
  Command command{role, "/proc/self/exe", {}, {}};
  if (!plan_.program.empty()) {
    command.program = plan_.program.front();
    command.arguments.assign(plan_.program.begin() + 1, plan_.program.end());
  }
  for (const std::string& word : {std::string("bench"), std::string("role"), encode(options)})
    command.arguments.push_back(word);
  auto added = team_.add(command);
  if (!added) {
    fail(added.failure());
    return 0;
  }
  costs_.push_back({role, 0, 0});
  return added.value();
}

void Run::start_hub() {
  start_hub(*plan_.system);
}

void Run::start_hub(const System& system) {
  if (system.hub == nullptr) return;
  RoleOptions options = options_of("hub");
  options.system = system.name;
  hub_ = start(options);
  endpoint_ = await(*hub_, "ready", start_patience_ns).text;
}

std::vector<std::size_t> Run::start_all(const char* role, unsigned count) {
  std::vector<std::size_t> children;
  for (unsigned number = 0; number < count; ++number) {
    children.push_back(start(role, number));
    await_ready(children.back());
  }
  return children;
}

void Run::tell(std::size_t child, std::string_view line) {
  if (!failure_) team_[child].tell(line);
}

std::uint64_t Run::await_sent(std::size_t child) {
  return await(child, "sent", end_patience_ns + 2 * plan_.duration_ns).sent;
}

RoleReport Run::await_done(std::size_t child, std::int64_t more_ns) {
  RoleReport report = await(child, "done", end_patience_ns + more_ns);
  if (failure_) return report;
  costs_[child].cpu_ns = report.cpu_ns;
  costs_[child].resident_kib = report.resident_kib;
  if (!report.link.empty() && link_.find(report.link) == link_.npos)
    link_ += (link_.empty() ? "" : ", ") + report.link;
  const std::string place = costs_[child].role + ": " + report.placement;
  if (!report.placement.empty() && placement_.find(place) == placement_.npos)
    placement_ += (placement_.empty() ? "" : "; ") + place;
  if (!report.text.empty()) note(costs_[child].role + " " + report.text);
  return report;
}

void Run::stop_publishers(const std::vector<std::size_t>& publishers, RoleReport& figures) {
  for (const std::size_t publisher : publishers) {
    tell(publisher, "stop");
    const RoleReport sent = await_done(publisher);
    figures.back_pressured += sent.back_pressured;
    figures.sending_ns = std::max(figures.sending_ns, sent.sending_ns);
  }
}

RoleReport Run::stop_hub() {
  if (!hub_) return {};
  tell(*hub_, "stop");
  return await_done(*hub_);
}

void Run::note(const std::string& text) {
  if (!note_.empty()) note_ += "; ";
  note_ += text;
}

Result<RunResult> Run::result(const RoleReport& figures, std::uint64_t expected) {
  for (std::size_t child = 0; child < team_.size(); ++child) team_[child].close_input();
  while (!failure_ && team_.running_count() != 0) await(0, "ended", start_patience_ns);
  if (failure_) return *failure_;
  RunResult result;
  result.plan = plan_;
  result.figures = figures;
  result.expected = expected;
  result.processes = costs_;
  result.note = note_;
  result.link = link_;
  result.placement = placement_;
  return result;
}

void Run::fail(const Failure& failure) {
  if (!failure_) failure_ = failure;
}

Failure Run::about(std::size_t child, const std::string& text) const {
  return {Error::system, std::string(plan_.system->name) + " " + costs_[child].role + " " + text};
}

RoleReport Run::take_said(std::size_t child, std::string_view event) {
  for (auto item = said_.begin(); item != said_.end(); ++item) {
    if (item->child != child || item->report.event != event) continue;
    RoleReport report = std::move(item->report);
    said_.erase(item);
    return report;
  }
  return {};
}

RoleReport Run::await(std::size_t child, std::string_view event, std::int64_t patience_ns) {
  const std::int64_t deadline_ns = now_ns() + patience_ns;
  while (!failure_) {
    if (RoleReport report = take_said(child, event); !report.event.empty()) return report;
    const TeamEvent next = team_.wait(deadline_ns);
    RoleReport report;
    switch (next.kind) {
      case TeamEventKind::signalled:
        signal_ = next.number;
        fail({Error::closed, {}});
        break;
      case TeamEventKind::timed_out:
        fail(about(child, "did not answer in time (" + std::string(event) + ")"));
        break;
      case TeamEventKind::ended:
        // A role ends by itself only after it was done, which its scenario waits for.
        if (next.number != 0) {
          fail(about(next.child, "ended with " + std::to_string(next.number)));
        } else if (team_.running_count() == 0) {
          return report;
        }
        break;
      case TeamEventKind::line:
        if (!decode(next.line, report)) {
          fail(about(next.child, "said: " + next.line));
        } else if (report.event == "failed") {
          fail(about(next.child, "failed: " + report.text));
        } else {
          said_.push_back({next.child, std::move(report)});
        }
        break;
    }
  }
  return {};
}

}  // namespace abuzz::bench
