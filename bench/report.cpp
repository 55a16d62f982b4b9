#include "bench/report.hpp"

#include <cstdio>
#include <functional>

namespace abuzz::bench {
namespace {

using Figure = std::function<double(const RunResult&)>;

std::vector<const RunResult*> runs_of(const BenchReport& report, const std::string& system,
                                      std::size_t bytes) {
  std::vector<const RunResult*> found;
  for (const RunResult& run : report.runs) {
    if (run.plan.bytes == bytes && run.plan.system->name == system) found.push_back(&run);
  }
  return found;
}

Spread spread_over(const std::vector<const RunResult*>& runs, const Figure& figure) {
  std::vector<double> values;
  for (const RunResult* run : runs) {
    if (run->is_verified()) values.push_back(figure(*run));
  }
  return spread_of(std::move(values));
}

double micros(std::uint64_t ns) {
  return static_cast<double>(ns) / 1000;
}

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
std::uint64_t sum(const std::vector<const RunResult*>& runs, std::uint64_t RoleReport::*figure) {
  std::uint64_t total = 0;
  for (const RunResult* run : runs) total += run->figures.*figure;
  return total;
}

void print_latency(const std::vector<const RunResult*>& runs) {
  struct Row {
    const char* label;
    std::uint64_t RoleReport::*value;
  };
  static constexpr Row rows[] = {{"round trip p50", &RoleReport::p50_ns},
                                 {"p90", &RoleReport::p90_ns},
                                 {"p99", &RoleReport::p99_ns},
                                 {"p99.9", &RoleReport::p999_ns},
                                 {"max", &RoleReport::max_ns}};
  for (const Row& row : rows) {
    print_spread(row.label, "us", spread_over(runs, [&row](const RunResult& run) {
                   return micros(run.figures.*row.value);
                 }));
  }
}

void print_system(const BenchReport& report, const std::string& name, std::size_t bytes) {
  const auto runs = runs_of(report, name, bytes);
  std::size_t verified = 0;
  for (const RunResult* run : runs) verified += run->is_verified() ? 1u : 0u;
  std::printf("  %s  %s, %zu B\n", name.c_str(), report.options.scenario.c_str(), bytes);
  std::printf("    %-18s %10s %10s %10s\n", "", "min", "median", "max");
  if (verified == 0) {
    std::printf("    no rate: not one run was verified\n");
  } else if (report.options.scenario == "pingpong") {
    print_latency(runs);
    print_rate("round trips", spread_over(runs, [](const RunResult& run) { return run.rate(); }));
  } else {
    print_rate("messages", spread_over(runs, [](const RunResult& run) { return run.rate(); }));
    print_spread("payload", "MB/s", spread_over(runs, [bytes](const RunResult& run) {
                   return run.rate() * static_cast<double>(bytes) / 1e6;
                 }));
  }
  if (verified != 0) {
    print_spread("CPU a message", "us", spread_over(runs, [](const RunResult& run) {
                   return run.cpu_ns_per_message() / 1e3;
                 }));
  }
  std::printf(
      "    sent %llu, received and verified %llu, lost %llu, doubled %llu, reordered %llu,"
      " corrupt %llu; runs verified %zu of %zu\n",
      static_cast<unsigned long long>(sum(runs, &RoleReport::sent)),
      static_cast<unsigned long long>(sum(runs, &RoleReport::received)),
      static_cast<unsigned long long>(sum(runs, &RoleReport::lost)),
      static_cast<unsigned long long>(sum(runs, &RoleReport::doubled)),
      static_cast<unsigned long long>(sum(runs, &RoleReport::reordered)),
      static_cast<unsigned long long>(sum(runs, &RoleReport::corrupt)), verified, runs.size());
  for (const RunResult* run : runs) {
    if (!run->note.empty()) std::printf("    note: %s\n", run->note.c_str());
  }
}

void print_ratio(const BenchReport& report, const Ratio& ratio) {
  const bool is_latency = ratio.scenario == "pingpong";
  if (ratio.pairs == 0) {
    std::printf("  abuzz over %s: no pair of runs in which both were verified\n",
                ratio.system.c_str());
    return;
  }
  std::printf("  abuzz over %s, %zu B, %s: min %.2f, median %.2f, max %.2f of %zu pairs (%s)\n",
              ratio.system.c_str(), ratio.bytes, is_latency ? "p50" : "rate", ratio.main.min,
              ratio.main.median, ratio.main.max, ratio.pairs,
              is_latency ? "lower is better" : "higher is better");
  if (is_latency) {
    std::printf("  abuzz over %s, %zu B, p99: min %.2f, median %.2f, max %.2f\n",
                ratio.system.c_str(), ratio.bytes, ratio.p99.min, ratio.p99.median, ratio.p99.max);
    return;
  }
  // A control that slow says that the machine was busy, not that Abuzz is fast.
  constexpr double control_rate_min = 2e6;
  const auto control = spread_over(runs_of(report, ratio.system, ratio.bytes),
                                   [](const RunResult& run) { return run.rate(); });
  if (ratio.system == "zmq" && ratio.bytes == 64 && control.median < control_rate_min) {
    std::printf(
        "  note: the control is below 2 M/s at 64 B; on a machine of the reference kind"
        " that voids the comparison\n");
  }
}

}  // namespace

void print_heading(const BenchReport& report) {
  const BenchOptions& options = report.options;
  std::printf("%s\n%s\n", options.command.c_str(), report.environment.line().c_str());
  for (const std::string& name : options.systems) {
    const System* system = find_system(name);
    const bool has_choice = system == &abuzz_system;
    std::printf("%s: %s; waits: %s%s\n", system->name, system->route, system->waiting,
                !has_choice          ? ""
                : options.is_polling ? "; receives by poll"
                                     : "; receives by handler");
  }
  std::printf(
      "%s, %u x %.1f s a system and size, in turns; each message checked"
      " by its receiver\n\n",
      options.scenario == "pingpong"
          ? "closed loop, one message in flight, three processes"
          : "closed-loop maximum (throughput only, not latency), three processes",
      options.runs, static_cast<double>(options.duration_ns) / 1e9);
  if (options.runs < 5) std::printf("fewer than 5 runs: an indication, not a result\n\n");
  std::fflush(stdout);
}

void print_tables(const BenchReport& report) {
  for (const std::size_t bytes : report.options.sizes) {
    for (const std::string& name : report.options.systems) print_system(report, name, bytes);
    for (const Ratio& ratio : report.ratios) {
      if (ratio.bytes == bytes) print_ratio(report, ratio);
    }
    std::printf("\n");
  }
}

}  // namespace abuzz::bench
