#include "bench/scenario.hpp"

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include "bench/time.hpp"

namespace abuzz::bench {
namespace {

constexpr std::int64_t start_patience_ns = 10 * second_ns;
constexpr std::int64_t end_patience_ns = 30 * second_ns;

// For the sockets of one run; only this user may enter it.
class RunDirectory {
 public:
  RunDirectory() {
    std::string pattern = "/tmp/abuzz-bench-XXXXXX";
    if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~RunDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

// The processes of one run and the conversation with them. After the first failure every further
// step does nothing, so a scenario reads as the list of its steps.
class Run {
 public:
  Run(const RunPlan& plan, int& signal) : plan_(plan), signal_(signal) {
    if (directory_.path().empty()) {
      fail({Error::system, std::string("mkdtemp in /tmp: ") + std::strerror(errno)});
    }
  }
  std::size_t start(const char* role) {
    if (failure_) return 0;
    RoleOptions options;
    options.system = plan_.system->name;
    options.role = role;
    options.directory = directory_.path();
    options.bytes = plan_.bytes;
    options.duration_ns = plan_.duration_ns;
    options.is_polling = plan_.is_polling;
    auto added = team_.add({role, "/proc/self/exe", {"bench", "role", encode(options)}, {}});
    if (!added) {
      fail(added.failure());
      return 0;
    }
    costs_.push_back({role, 0, 0});
    return added.value();
  }
  void tell(std::size_t child, std::string_view line) {
    if (!failure_) team_[child].tell(line);
  }
  void await_ready(std::size_t child) { await(child, "ready", start_patience_ns); }
  std::uint64_t await_sent(std::size_t child) {
    return await(child, "sent", end_patience_ns + plan_.duration_ns).sent;
  }
  RoleReport await_done(std::size_t child, std::int64_t more_ns = 0) {
    RoleReport report = await(child, "done", end_patience_ns + more_ns);
    if (failure_) return report;
    costs_[child].cpu_ns = report.cpu_ns;
    costs_[child].resident_kib = report.resident_kib;
    if (!report.text.empty()) note_ += costs_[child].role + " " + report.text;
    return report;
  }
  // Waits until every process has ended by itself: one that crashes on its way out has failed.
  Result<RunResult> result(const RoleReport& figures) {
    for (std::size_t child = 0; child < team_.size(); ++child) team_[child].close_input();
    while (!failure_ && team_.running_count() != 0) await(0, "ended", start_patience_ns);
    if (failure_) return *failure_;
    RunResult result;
    result.plan = plan_;
    result.figures = figures;
    result.processes = costs_;
    result.note = note_;
    return result;
  }

 private:
  RoleReport await(std::size_t child, std::string_view event, std::int64_t patience_ns);
  void fail(const Failure& failure) {
    if (!failure_) failure_ = failure;
  }
  Failure about(std::size_t child, const std::string& text) const {
    return {Error::system, std::string(plan_.system->name) + " " + costs_[child].role + " " + text};
  }

  const RunPlan& plan_;
  int& signal_;
  RunDirectory directory_;  // outlives the processes that use it
  Team team_;
  std::vector<ProcessCost> costs_;
  std::string note_;
  std::optional<Failure> failure_;
};

RoleReport Run::await(std::size_t child, std::string_view event, std::int64_t patience_ns) {
  const std::int64_t deadline_ns = now_ns() + patience_ns;
  while (!failure_) {
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
        } else if (next.child == child && report.event == event) {
          return report;
        }
        break;
    }
  }
  return {};
}

// One publisher as fast as it is let, one subscriber that checks everything.
Result<RunResult> run_pubsub(const RunPlan& plan, int& signal) {
  Run run(plan, signal);
  const std::size_t hub = run.start("hub");
  run.await_ready(hub);
  const std::size_t subscriber = run.start("subscriber");
  run.await_ready(subscriber);
  const std::size_t publisher = run.start("publisher");
  run.await_ready(publisher);
  run.tell(publisher, "go");
  const std::uint64_t total = run.await_sent(publisher);
  run.tell(subscriber, "total " + std::to_string(total));
  RoleReport figures = run.await_done(subscriber);
  run.tell(publisher, "stop");
  const RoleReport sent = run.await_done(publisher);
  run.tell(hub, "stop");
  run.await_done(hub);
  figures.sent = total;
  figures.back_pressured = sent.back_pressured;
  return run.result(figures);
}

// One message in flight, there and back.
Result<RunResult> run_pingpong(const RunPlan& plan, int& signal) {
  Run run(plan, signal);
  const std::size_t hub = run.start("hub");
  run.await_ready(hub);
  const std::size_t ponger = run.start("ponger");
  run.await_ready(ponger);
  const std::size_t pinger = run.start("pinger");
  run.await_ready(pinger);
  run.tell(pinger, "go");
  const RoleReport figures = run.await_done(pinger, 2 * plan.duration_ns);
  run.tell(ponger, "stop");
  run.await_done(ponger);
  run.tell(hub, "stop");
  run.await_done(hub);
  return run.result(figures);
}

struct Scenario {
  const char* name;
  Result<RunResult> (*run)(const RunPlan&, int&);
};
constexpr Scenario scenarios[] = {{"pubsub", run_pubsub}, {"pingpong", run_pingpong}};

}  // namespace

bool RunResult::is_verified() const noexcept {
  return figures.received != 0 && figures.received == figures.sent && figures.lost == 0 &&
         figures.reordered == 0 && figures.doubled == 0 && figures.corrupt == 0 &&
         figures.elapsed_ns != 0;
}

double RunResult::rate() const noexcept {
  if (!is_verified()) return 0;
  const std::uint64_t count = figures.measured != 0 ? figures.measured : figures.received;
  return static_cast<double>(count) * 1e9 / static_cast<double>(figures.elapsed_ns);
}

double RunResult::cpu_ns_per_message() const noexcept {
  std::uint64_t cpu_ns = 0;
  for (const ProcessCost& process : processes) cpu_ns += process.cpu_ns;
  if (figures.received == 0) return 0;
  return static_cast<double>(cpu_ns) / static_cast<double>(figures.received);
}

bool is_scenario(std::string_view name) noexcept {
  for (const Scenario& scenario : scenarios) {
    if (name == scenario.name) return true;
  }
  return false;
}

Result<RunResult> run_once(const RunPlan& plan, int& signal) {
  for (const Scenario& scenario : scenarios) {
    if (plan.scenario == scenario.name) return scenario.run(plan, signal);
  }
  return Failure{Error::bad_flag_value, "no scenario " + plan.scenario};
}

}  // namespace abuzz::bench
