#include "bench/cost.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <vector>

#include "bench/bench.hpp"
#include "bench/callgrind.hpp"
#include "bench/run.hpp"

namespace abuzz::bench {
namespace {

constexpr double tolerance = 0.03;
constexpr std::uint64_t messages_counted = 6400;

struct Count {
  CallgrindProfile profile;
  std::uint64_t moved_bytes = 0;
};

Result<Count> count_once(const std::string& program, std::size_t bytes, int& signal) {
  const RunDirectory output;
  const std::string file = output.path() + "/callgrind";
  RunPlan plan;
  plan.scenario = "cost";
  plan.system = &abuzz_system;
  plan.bytes = bytes;
  plan.messages = messages_counted;
  plan.program = {"/usr/bin/env",
                  "valgrind",
                  "--tool=callgrind",
                  "-q",
                  "--instr-atstart=no",
                  "--collect-systime=yes",
                  "--callgrind-out-file=" + file,
                  program};
  Run run(plan, signal);
  const std::size_t lockstep = run.start("lockstep");
  run.await_ready(lockstep);
  run.tell(lockstep, "go");
  const RoleReport report = run.await_done(lockstep, second_ns * 60);
  const auto result = run.result(report, report.sent);
  if (!result) return result.failure();
  Count count{read_callgrind(file), report.moved_bytes};
  if (count.profile.is_empty() || report.received != report.sent || report.measured == 0)
    return Failure{
        Error::system,
        "valgrind counted nothing: " +
            (report.text.empty() ? "was it built with valgrind/callgrind.h?" : report.text)};
  return count;
}

double median_of(const std::vector<Count>& counts, std::uint64_t (*figure)(const Count&)) {
  std::vector<double> values;
  for (const Count& count : counts) values.push_back(static_cast<double>(figure(count)));
  return spread_of(std::move(values)).median / static_cast<double>(messages_counted);
}

}  // namespace

bool has_valgrind() {
  const char* path = std::getenv("PATH");
  std::istringstream directories(path == nullptr ? "/usr/bin" : path);
  for (std::string directory; std::getline(directories, directory, ':');)
    if (access((directory + "/valgrind").c_str(), X_OK) == 0) return true;
  return false;
}

Result<Cost> measure_cost(const std::string& program, std::size_t bytes, int& signal) {
  std::error_code ignored;
  const std::string path =
      program.empty() ? std::filesystem::read_symlink("/proc/self/exe", ignored).string() : program;
  std::vector<Count> counts;
  std::vector<CallgrindProfile> profiles;
  for (unsigned run = 0; run < cost_runs; ++run) {
    auto count = count_once(path, bytes, signal);
    if (!count) return count.failure();
    profiles.push_back(count.value().profile);
    counts.push_back(std::move(count).value());
  }
  Cost cost;
  cost.bytes = bytes;
  cost.messages = messages_counted;
  for (const auto& [name, instructions] : repeatable(profiles, tolerance)) {
    cost.functions[name] = static_cast<double>(instructions) / messages_counted;
    cost.instructions += cost.functions[name];
  }
  for (const CallgrindProfile& profile : profiles)
    for (const auto& [name, ignored_count] : profile.instructions)
      if (!cost.functions.contains(name)) cost.others.insert(name);
  cost.system_calls = median_of(counts, [](const Count& one) { return one.profile.system_calls; });
  cost.allocations = median_of(counts, [](const Count& one) { return one.profile.allocations; });
  cost.moved_bytes = median_of(counts, [](const Count& one) { return one.moved_bytes; });
  return cost;
}

double instruction_ratio(const Cost& ours, const Cost& theirs) noexcept {
  double mine = 0, other = 0;
  for (const auto& [name, instructions] : ours.functions)
    if (!theirs.others.contains(name)) mine += instructions;
  for (const auto& [name, instructions] : theirs.functions)
    if (!ours.others.contains(name)) other += instructions;
  return other > 0 ? mine / other : 0;
}

}  // namespace abuzz::bench
