#include "bench/report.hpp"

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "bench/figures.hpp"
#include "bench/groups.hpp"
#include "bench/heritage.hpp"
#include "bench/repeat.hpp"

namespace abuzz::bench {
namespace {

void print_spread(const char* label, const char* unit, const Spread& spread) {
  std::printf("    %-18s %10.3f %10.3f %10.3f  %s\n", label, spread.min, spread.median, spread.max,
              unit);
}

// In the largest unit of which there is one at least.
void print_rate(const char* label, const Spread& a_second) {
  const double divisor = a_second.median >= 1e6 ? 1e6 : a_second.median >= 1e3 ? 1e3 : 1;
  const char* unit = divisor == 1e6 ? "M/s" : divisor == 1e3 ? "k/s" : "/s";
  print_spread(label, unit,
               {a_second.min / divisor, a_second.median / divisor, a_second.max / divisor});
}

// One figure of the totals over all runs of a system; they must be 0.
std::uint64_t sum(const RunGroup& group, std::uint64_t RoleReport::*figure) {
  std::uint64_t total = 0;
  for (const RunResult* run : group.runs) total += run->figures.*figure;
  return total;
}

void print_latency(const RunGroup& group) {
  for (const Percentile& percentile : percentiles) {
    if (!is_resolved(percentile, group.runs.front()->figures.timed)) {
      std::printf("    %-18s too few messages\n", percentile.name);
      continue;
    }
    print_spread(percentile.name, "us", group.spread([&percentile](const RunResult& run) {
      return micros(run.figures.*percentile.value);
    }));
  }
}

// What each kind of process used, a message, over the runs.
void print_cpu(const RunGroup& group) {
  print_spread("CPU a message", "us",
               group.spread([](const RunResult& run) { return run.cpu_ns_per_message() / 1e3; }));
  std::vector<std::string> roles;
  for (const ProcessCost& process : group.runs.front()->processes)
    if (std::find(roles.begin(), roles.end(), process.role) == roles.end())
      roles.push_back(process.role);
  for (const std::string& role : roles) {
    print_spread(("  of that " + role).c_str(), "us", group.spread([&](const RunResult& run) {
      std::uint64_t cpu_ns = 0;
      for (const ProcessCost& process : run.processes)
        if (process.role == role) cpu_ns += process.cpu_ns;
      return static_cast<double>(cpu_ns) / 1e3 / static_cast<double>(run.handled());
    }));
  }
}

void print_counts(const RunGroup& group) {
  std::uint64_t expected = 0;
  for (const RunResult* run : group.runs) expected += run->expected;
  const auto count = [&group](std::uint64_t RoleReport::*figure) {
    return static_cast<unsigned long long>(sum(group, figure));
  };
  std::printf(
      "    sent %llu, to be received %llu, received and verified %llu, lost %llu, doubled %llu,"
      " reordered %llu, corrupt %llu; runs verified %zu of %zu\n",
      count(&RoleReport::sent), static_cast<unsigned long long>(expected),
      count(&RoleReport::received), count(&RoleReport::lost), count(&RoleReport::doubled),
      count(&RoleReport::reordered), count(&RoleReport::corrupt), group.verified_count(),
      group.runs.size());
  const RunResult& first = *group.runs.front();
  if (!first.link.empty()) std::printf("    link used: %s\n", first.link.c_str());
  if (!first.placement.empty()) std::printf("    threads: %s\n", first.placement.c_str());
  for (const RunResult* run : group.runs) {
    if (run->placement != first.placement && !run->placement.empty())
      std::printf("    threads, in another run: %s\n", run->placement.c_str());
    if (!run->note.empty()) std::printf("    note: %s\n", run->note.c_str());
    if (!run->fault.empty()) std::printf("    failed: %s\n", run->fault.c_str());
  }
}

void print_title(const RunPlan& plan) {
  std::printf("  %s  %s, %zu B", plan.system->name, plan.title().c_str(), plan.bytes);
  if (plan.load != nullptr)
    std::printf(", %u logical agents in %u processes, %u messages, %u tasks", plan.load->agents,
                heritage_processes, plan.load->messages, plan.load->tasks);
  else if (plan.publishers > 1)
    std::printf(", %u publishers", plan.publishers);
  if (plan.subscribers > 1) std::printf(", %u subscribers", plan.subscribers);
  if (plan.rate > 0)
    std::printf(", offered %.0f/s: latency from when each message was to be sent", plan.rate);
  std::printf("\n    %-18s %10s %10s %10s\n", "", "min", "median", "max");
}

// What the loads of the scenario heritage must reach, beside what they did.
void print_floors(const RunGroup& group) {
  const RunPlan& plan = group.plan();
  if (plan.load == nullptr) return;
  const double p95_us = micros(group.latency().at(0.95));
  std::uint64_t unaccounted = 0;
  for (const RunResult* run : group.runs) unaccounted += run->unaccounted();
  std::printf("    floor: 0 messages unaccounted for: %llu; p95 under %.0f us: %.0f us; %s\n",
              static_cast<unsigned long long>(unaccounted), heritage_p95_us_max, p95_us,
              unaccounted == 0 && p95_us > 0 && p95_us < heritage_p95_us_max ? "passed" : "MISSED");
}

// That it could not keep the rate is an answer, too.
void print_offered(const RunGroup& group) {
  constexpr double reached = 0.99;
  const Spread sent = group.spread([](const RunResult& run) { return run.achieved_rate(); });
  print_rate("sent", sent);
  if (sent.min < reached * group.plan().rate) std::printf("    offered load not reached\n");
}

void print_group(const RunGroup& group, const BenchOptions& options) {
  const RunPlan& plan = group.plan();
  print_title(plan);
  if (group.verified_count() == 0) {
    std::printf("    no rate: not one run was verified\n");
  } else {
    if (is_about_latency(plan)) print_latency(group);
    const char* what = find_scenario(plan.scenario)->is_round_trip ? "round trips" : "messages";
    if (plan.rate > 0) print_offered(group);
    print_rate(what, group.spread([](const RunResult& run) { return run.rate(); }));
    if (!is_about_latency(plan))
      print_spread("payload", "MB/s", group.spread([&plan](const RunResult& run) {
        return run.rate() * static_cast<double>(plan.bytes) / 1e6;
      }));
    print_cpu(group);
  }
  print_counts(group);
  print_floors(group);
  std::printf("    again: %s\n", command_for(plan, options).c_str());
}

// A control that slow says that the machine was busy, not that Abuzz is fast.
void warn_of_slow_control(const std::vector<RunGroup>& groups) {
  constexpr double control_rate_min = 2e6;
  for (const RunGroup& group : groups) {
    const RunPlan& plan = group.plan();
    if (plan.scenario != "pubsub" || plan.bytes != 64 || plan.rate > 0 ||
        std::string_view(plan.system->name) != "zmq")
      continue;
    if (group.spread([](const RunResult& run) { return run.rate(); }).median < control_rate_min)
      std::printf(
          "  note: the control is below 2 M/s at 64 B; on a machine of the reference kind"
          " that voids the comparison\n");
  }
}

void print_ratio(const Ratio& ratio) {
  const bool is_latency = ratio.p99.median > 0;
  if (ratio.pairs == 0) {
    std::printf("  abuzz over %s: no pair of runs in which both were verified\n",
                ratio.system.c_str());
    return;
  }
  std::printf("  abuzz over %s, %s %zu B, %s: min %.2f, median %.2f, max %.2f of %zu pairs (%s)\n",
              ratio.system.c_str(), ratio.scenario.c_str(), ratio.bytes,
              is_latency ? "p50" : "rate", ratio.main.min, ratio.main.median, ratio.main.max,
              ratio.pairs, is_latency ? "lower is better" : "higher is better");
  if (is_latency) {
    std::printf("  abuzz over %s, %s %zu B, p99: min %.2f, median %.2f, max %.2f\n",
                ratio.system.c_str(), ratio.scenario.c_str(), ratio.bytes, ratio.p99.min,
                ratio.p99.median, ratio.p99.max);
  }
}

const char* loop_text(const BenchOptions& options, const Scenario& scenario) {
  if (scenario.is_round_trip) return "closed loop";
  const bool is_crowd = std::string_view(scenario.name) == "heritage";
  if (!is_crowd && options.rates.empty() && scenario.rate <= 0)
    return "closed-loop maximum: throughput only, not latency";
  return options.may_spin && !is_crowd && !scenario.has_publishers
             ? "open loop, at a rate; a publisher spins for the last 60 us before it is time"
             : "open loop, at a rate; publishers sleep until it is time";
}

}  // namespace

void print_heading(const BenchReport& report) {
  const BenchOptions& options = report.options;
  std::printf("%s\n%s\n", options.command.c_str(), report.environment.line().c_str());
  for (const std::string& name : options.systems) {
    const System* system = find_system(name);
    const bool has_choice = system == &abuzz_system;
    const std::string versions = system->versions == nullptr ? "" : system->versions() + "; ";
    std::printf("%s: %s%s; waits: %s%s\n", system->name, versions.c_str(), system->route,
                system->waiting,
                !has_choice          ? ""
                : options.is_polling ? "; receives by poll"
                                     : "; receives by handler");
  }
  for (const std::string& name : options.scenarios) {
    const Scenario& scenario = *find_scenario(name);
    std::printf("%s: %s; %s\n", name.c_str(), scenario.text, loop_text(options, scenario));
  }
  const bool has_own_time = options.scenarios.front() == "heritage" && !options.has_duration;
  if (has_own_time)
    std::printf("%u x of each, in turns; each message checked by its receiver\n\n", options.runs);
  else if (options.against.empty())
    std::printf("%u x %.1f s of each, in turns; each message checked by its receiver\n\n",
                options.runs, static_cast<double>(options.duration_ns) / 1e9);
  else
    std::printf("short runs in pairs, in random order; each message checked by its receiver\n\n");
  if (options.runs < 5 && options.against.empty())
    std::printf("fewer than 5 runs: an indication, not a result\n\n");
  std::fflush(stdout);
}

void print_tables(const BenchReport& report) {
  const std::vector<RunGroup> groups = groups_of(report);
  for (const RunGroup& group : groups) print_group(group, report.options);
  for (const Ratio& ratio : report.ratios) print_ratio(ratio);
  if (!report.ratios.empty()) warn_of_slow_control(groups);
  for (const std::string& name : report.options.scenarios)
    for (const std::string& system : report.options.systems)
      if (!find_scenario(name)->fits(*find_system(system)))
        std::printf("  %s: n/a for %s\n", name.c_str(), system.c_str());
  std::printf("\n");
}

}  // namespace abuzz::bench
