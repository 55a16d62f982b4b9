#include "bench/repeat.hpp"

#include <cstdio>

#include "bench/heritage.hpp"
#include "bench/time.hpp"

namespace abuzz::bench {
namespace {

// 500ms, 2s
std::string duration_text(std::int64_t ns) {
  const bool is_whole = ns % second_ns == 0;
  return is_whole ? std::to_string(ns / second_ns) + "s"
                  : std::to_string(ns / millisecond_ns) + "ms";
}

std::string rate_of(double rate) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.0f", rate);
  return buffer;
}

}  // namespace

std::string command_for(const RunPlan& plan, const BenchOptions& options) {
  std::string command = "abuzz bench " + plan.scenario;
  if (plan.load != nullptr)
    command += std::string(" --load ") + plan.load->name;
  else
    command += " --size " + std::to_string(plan.bytes);
  const Scenario& scenario = *find_scenario(plan.scenario);
  if (plan.rate > 0 && plan.load == nullptr) command += " --rate " + rate_of(plan.rate);
  if (scenario.has_publishers) command += " --pubs " + std::to_string(plan.publishers);
  if (scenario.has_subscribers) command += " --subs " + std::to_string(plan.subscribers);
  if (plan.load == nullptr || options.has_duration)
    command += " --duration " + duration_text(plan.duration_ns);
  command += " --runs " + std::to_string(options.runs);
  // Beside what Abuzz does is what a raw pair of lanes is measured.
  const bool is_beside = plan.scenario == "lanes" && plan.system != &abuzz_system;
  command += std::string(is_beside ? " --vs " : " --only ") + plan.system->name;
  if (plan.is_polling && plan.system == &abuzz_system) command += " --poll";
  if (!options.profile.empty()) command += " --profile " + options.profile;
  return command + options.settings;
}

}  // namespace abuzz::bench
