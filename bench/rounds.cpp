#include "bench/rounds.hpp"

#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "bench/heritage.hpp"
#include "bench/payload.hpp"

namespace abuzz::bench {
namespace {

// Progress is for a person who watches, so only on a terminal.
class Progress {
 public:
  Progress() : is_shown_(isatty(STDERR_FILENO) == 1) {}
  ~Progress() { clear(); }
  void next(const RunPlan& plan, unsigned round, unsigned rounds) {
    if (!is_shown_) return;
    std::fprintf(stderr, "\r\033[Kround %u of %u: %s %s, %zu B", round + 1, rounds,
                 plan.title().c_str(), plan.system->name, plan.bytes);
    if (plan.rate > 0) std::fprintf(stderr, " at %.0f/s", plan.rate);
    std::fflush(stderr);
  }
  void clear() {
    if (is_shown_) std::fprintf(stderr, "\r\033[K");
  }

 private:
  const bool is_shown_;
};

double ratio_of(double ours, double theirs) noexcept {
  return theirs > 0 ? ours / theirs : 0;
}

// Rounds of the same plans, one for each system.
class Rounds {
 public:
  Rounds(BenchReport& report, Progress& progress) : report_(report), progress_(progress) {}

  // The exit code of a round that could not be made, else 0. `plans`: one a system.
  int make(const std::vector<RunPlan>& plans) {
    const std::size_t first = report_.runs.size();
    for (unsigned round = 0; round < report_.options.runs; ++round) {
      for (RunPlan plan : plans) {
        // As much as the run of Abuzz in this round.
        if (plan.system != plans.front().system)
          plan.beside_rate = report_.runs[first + round * plans.size()].beside_rate;
        progress_.next(plan, round, report_.options.runs);
        if (const int code = make_one(plan)) return code;
      }
    }
    if (plans.front().system == &abuzz_system)
      for (std::size_t peer = 1; peer < plans.size(); ++peer)
        report_.ratios.push_back(compare(first, plans.size(), peer));
    return 0;
  }
  // Of one system over the runs from `first` on.
  double median_rate(std::size_t first, const System* system) const {
    std::vector<double> rates;
    for (std::size_t at = first; at < report_.runs.size(); ++at)
      if (report_.runs[at].plan.system == system && report_.runs[at].is_verified())
        rates.push_back(report_.runs[at].rate());
    return spread_of(std::move(rates)).median;
  }

 private:
  // A peer that fails has a run without figures, and the others go on.
  int make_one(const RunPlan& plan) {
    int signal = 0;
    auto run = run_once(plan, signal);
    if (signal != 0) return 128 + signal;
    if (run) {
      report_.runs.push_back(std::move(run).value());
      return 0;
    }
    progress_.clear();
    RunResult failed;
    failed.plan = plan;
    failed.fault = run.failure().detail;
    report_.runs.push_back(std::move(failed));
    if (plan.system == &abuzz_system) return complain(run.failure());
    std::fprintf(stderr, "%s\n", run.failure().detail.c_str());
    return 0;
  }
  Ratio compare(std::size_t first, std::size_t systems, std::size_t peer) const {
    const RunPlan& plan = report_.runs[first + peer].plan;
    Ratio ratio{plan.system->name, plan.scenario, plan.bytes, plan.rate, {}, {}, 0};
    std::vector<double> values, p99;
    for (std::size_t at = first; at + systems <= report_.runs.size(); at += systems) {
      const RunResult& ours = report_.runs[at];
      const RunResult& theirs = report_.runs[at + peer];
      if (!ours.is_verified() || !theirs.is_verified()) continue;
      ++ratio.pairs;
      if (!is_about_latency(plan)) {
        values.push_back(ratio_of(ours.rate(), theirs.rate()));
        continue;
      }
      values.push_back(ratio_of(static_cast<double>(ours.figures.p50_ns),
                                static_cast<double>(theirs.figures.p50_ns)));
      p99.push_back(ratio_of(static_cast<double>(ours.figures.p99_ns),
                             static_cast<double>(theirs.figures.p99_ns)));
    }
    ratio.main = spread_of(std::move(values));
    ratio.p99 = spread_of(std::move(p99));
    return ratio;
  }

  BenchReport& report_;
  Progress& progress_;
};

// Both at half of what the peer can do at most: where each has room, who is late less often?
int make_half_load(BenchReport& report, Rounds& rounds, std::size_t first, std::size_t bytes) {
  if (bytes < timed_payload_bytes_min) return 0;
  for (const std::string& name : report.options.systems) {
    const System* peer = find_system(name);
    const double rate = std::floor(rounds.median_rate(first, peer) / 2);
    if (rate < 1) continue;
    std::vector<RunPlan> plans;
    if (peer != &abuzz_system && report.options.systems.front() == abuzz_system.name)
      plans.push_back(plan_of(report.options, "pubsub", &abuzz_system, bytes));
    plans.push_back(plan_of(report.options, "pubsub", peer, bytes));
    for (RunPlan& plan : plans) plan.rate = rate;
    if (const int code = rounds.make(plans)) return code;
  }
  return 0;
}

// The loads of the scenario heritage, at rates that let each last for its time.
int make_heritage(BenchReport& report, Rounds& rounds) {
  for (const HeritageLoad& load : heritage_loads()) {
    if (!report.options.load.empty() && report.options.load != load.name) continue;
    RunPlan plan = plan_of(report.options, "heritage", &abuzz_system, 64);
    plan.load = &load;
    if (!report.options.has_duration) plan.duration_ns = load.duration_ns;
    plan.publishers = heritage_processes;
    plan.may_spin = false;  // eight of them are too many for any machine
    const double items = static_cast<double>(load.messages) + load.tasks;
    plan.rate = items * 1e9 / static_cast<double>(plan.duration_ns);
    if (const int code = rounds.make({plan})) return code;
  }
  return 0;
}

// Rate by rate; round trips have none.
int make_size(BenchReport& report, Rounds& rounds, const std::string& scenario, std::size_t bytes) {
  const BenchOptions& options = report.options;
  const bool takes_rate = !find_scenario(scenario)->is_round_trip && !options.rates.empty();
  for (const double rate : takes_rate ? options.rates : std::vector<double>{0}) {
    std::vector<RunPlan> plans;
    for (const std::string& name : options.systems) {
      const System* system = find_system(name);
      if (!find_scenario(scenario)->fits(*system)) continue;
      plans.push_back(plan_of(options, scenario, system, bytes));
      if (rate > 0) plans.back().rate = rate;
    }
    if (plans.empty()) return 0;
    const std::size_t first = report.runs.size();
    if (const int code = rounds.make(plans)) return code;
    if (options.has_half_load && scenario == "pubsub")
      if (const int code = make_half_load(report, rounds, first, bytes)) return code;
  }
  return 0;
}

}  // namespace

RunPlan plan_of(const BenchOptions& options, const std::string& name, const System* system,
                std::size_t bytes) {
  const Scenario& scenario = *find_scenario(name);
  RunPlan plan;
  plan.scenario = name;
  plan.system = system;
  plan.bytes = bytes;
  plan.duration_ns = options.duration_ns;
  if (!scenario.is_round_trip) plan.rate = scenario.rate;
  plan.burst = scenario.burst;
  if (scenario.has_publishers) plan.publishers = options.publishers;
  if (scenario.has_subscribers) plan.subscribers = options.subscribers;
  if (name == "slow-reader") plan.subscribers = 2;
  plan.is_polling = options.is_polling;
  plan.may_spin = options.may_spin && plan.publishers == 1;
  return plan;
}

int make_runs(BenchReport& report) {
  const BenchOptions& options = report.options;
  Progress progress;
  Rounds rounds(report, progress);
  for (const std::string& scenario : options.scenarios) {
    if (scenario == "heritage") {
      if (const int code = make_heritage(report, rounds)) return code;
      continue;
    }
    const std::vector<std::size_t> default_sizes{find_scenario(scenario)->bytes};
    for (const std::size_t bytes : options.sizes.empty() ? default_sizes : options.sizes)
      if (const int code = make_size(report, rounds, scenario, bytes)) return code;
  }
  return 0;
}

}  // namespace abuzz::bench
