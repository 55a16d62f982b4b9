#include "tools/demo_team.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "bench/time.hpp"
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/signals.hpp"
#include "tools/terminal.hpp"

namespace abuzz::tools {
namespace {

namespace fs = std::filesystem;
using bench::TeamEvent;
using bench::TeamEventKind;

fs::path own_program() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored);
}

// The folder of the agents' programs: beside this one, in the build tree, or installed; empty if
// they are nowhere.
std::string find_agents(const fs::path& self) {
  const fs::path here = self.parent_path();
  for (const fs::path& folder : {here, here / "../agents", here / "../libexec/abuzz"}) {
    const fs::path reader = (folder / "abuzz-demo-reader").lexically_normal();
    if (access(reader.c_str(), X_OK) == 0) return reader.parent_path().native();
  }
  return {};
}

}  // namespace

DemoTeam::DemoTeam(const DemoOptions& options, std::string run)
    : options_(options),
      run_(std::move(run)),
      self_(own_program().native()),
      folder_(find_agents(self_)) {}

Status DemoTeam::start(const std::string& list) {
  if (folder_.empty()) {
    return Failure{Error::system, "abuzz-demo-reader stands neither beside " + self_ +
                                      " nor in ../libexec/abuzz: install Abuzz again"};
  }
  // In any order: they wait for each other.
  Status status = add("collector", {"--top", std::to_string(options_.top), "--list", list});
  for (std::uint64_t index = 0; status && index < options_.indexers; ++index) {
    status = add("indexer", {"--index", std::to_string(index)});
  }
  if (status) status = add("reader", {"--list", list});
  return status;
}

Status DemoTeam::add(const std::string& agent, const std::vector<std::string>& arguments) {
  bench::Command command;
  command.label = agent;
  command.program = folder_ + "/abuzz-demo-" + agent;
  command.arguments = {"--run", run_, "--indexers", std::to_string(options_.indexers)};
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  // If an agent has to start a node, it is this very program.
  if (std::getenv("ABUZZ_NODE_BIN") == nullptr) {
    command.environment.push_back("ABUZZ_NODE_BIN=" + self_);
  }
  const auto added = team_.add(command);
  if (!added) return added.failure();
  return Done{};
}

void DemoTeam::show_progress(const demo::Report& report) {
  const auto found = report.numbers.find("messages");
  if (isatty(STDERR_FILENO) != 1 || found == report.numbers.end()) return;
  std::fprintf(stderr, "\r\033[K%s lines published", format_count(found->second).c_str());
  std::fflush(stderr);
  has_progress_ = true;
}

bool DemoTeam::take_line(const TeamEvent& event, DemoOutcome& outcome) {
  const std::string& label = team_[event.child].label();
  demo::Report report;
  if (!demo::decode(event.line, report)) {
    complain(Error::internal, "the " + label + " said: " + printable(event.line));
    return false;
  }
  if (report.event == "progress") show_progress(report);
  if (report.event == "failed") {
    has_explained_ = true;
    tell(report.text + " (the " + label + " of the demo)");
  }
  if (report.event != "done") return true;
  if (label == "reader") outcome.reader = report;
  if (label == "indexer") outcome.indexers.push_back(report);
  if (label == "collector") outcome.collector = report;
  return true;
}

int DemoTeam::complain_about_end(const TeamEvent& event) {
  if (event.number == 0) return 0;
  if (has_explained_) return event.number;
  const bool is_killed = event.number > 128;
  return complain(Error::system, "the " + team_[event.child].label() +
                                     (is_killed ? " was ended by signal " : " ended with ") +
                                     std::to_string(event.number - (is_killed ? 128 : 0)));
}

int DemoTeam::watch(DemoOutcome& outcome) {
  int failed = 0;
  while (failed == 0 && team_.running_count() != 0) {
    const TeamEvent event = team_.wait(bench::now_ns() + options_.timeout.count());
    switch (event.kind) {
      case TeamEventKind::line:
        if (!take_line(event, outcome)) failed = error_info(Error::internal).exit_code;
        break;
      case TeamEventKind::ended:
        failed = complain_about_end(event);
        break;
      case TeamEventKind::signalled:
        failed = exit_code_of_signal(event.number);
        break;
      case TeamEventKind::timed_out:
        failed = complain(Error::timed_out,
                          "the demo made no progress for " + format_duration(options_.timeout));
        break;
    }
  }
  if (has_progress_) std::fprintf(stderr, "\r\033[K");
  team_.end();
  return failed;
}

}  // namespace abuzz::tools
