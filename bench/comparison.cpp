#include "bench/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <random>

#include "bench/bench.hpp"
#include "bench/child.hpp"
#include "bench/cost_file.hpp"
#include "bench/rounds.hpp"
#include "bench/time.hpp"

namespace abuzz::bench {
namespace {

constexpr std::int64_t slice_ns = 250 * millisecond_ns;
// For the runs under valgrind, which come last.
constexpr std::int64_t counting_ns = 30 * second_ns;
constexpr double counting_noise = 0.01;

// What a message costs, of a run that was verified: nothing otherwise.
std::optional<double> time_of(const RunResult& run) {
  if (!run.is_verified()) return std::nullopt;
  if (is_about_latency(run.plan)) return static_cast<double>(run.figures.p50_ns);
  return 1 / run.rate();
}

std::size_t size_of(const BenchOptions& options) {
  if (!options.sizes.empty()) return options.sizes.front();
  return find_scenario(options.scenarios.front())->bytes;
}

class Pairs {
 public:
  Pairs(const BenchOptions& options, Comparison& comparison)
      : comparison_(comparison), random_(options.seed) {
    ours_ = plan_of(options, options.scenarios.front(), &abuzz_system, size_of(options));
    if (!options.has_duration) ours_.duration_ns = slice_ns;
    if (!options.rates.empty()) ours_.rate = options.rates.front();
    theirs_ = ours_;
    theirs_.program = {options.against};
  }
  // One more; the exit code of one that could not be made.
  int make() {
    const bool is_ours_first = (random_() & 1) != 0;
    auto first = run(is_ours_first ? ours_ : theirs_);
    if (code_ != 0) return code_;
    auto second = run(is_ours_first ? theirs_ : ours_);
    if (code_ != 0) return code_;
    const RunResult& mine = is_ours_first ? *first : *second;
    const RunResult& other = is_ours_first ? *second : *first;
    comparison_.our_runs.add(mine);
    comparison_.their_runs.add(other);
    const auto time = time_of(mine), other_time = time_of(other);
    if (!time || !other_time) return 0;
    comparison_.judges[0].take(std::log(*time / *other_time));
    comparison_.judges[1].take(std::log(mine.cpu_ns_per_message() / other.cpu_ns_per_message()));
    return 0;
  }

 private:
  std::optional<RunResult> run(const RunPlan& plan) {
    int signal = 0;
    auto made = run_once(plan, signal);
    if (made) return std::move(made).value();
    code_ = signal != 0 ? 128 + signal : complain(made.failure());
    return std::nullopt;
  }

  Comparison& comparison_;
  std::mt19937_64 random_;
  RunPlan ours_, theirs_;
  int code_ = 0;
};

// A build that only waits longer costs no more CPU, so one of them cannot speak for the other.
Verdict verdict_of_time(const std::vector<Judge>& judges, bool is_last) {
  return agree(judges[0].look(is_last), judges[1].look(is_last));
}

int count_both(const BenchOptions& options, Comparison& comparison) {
  const std::size_t bytes = size_of(options);
  int signal = 0;
  auto ours = measure_cost({}, bytes, signal);
  if (signal != 0) return 128 + signal;
  if (!ours) return complain(ours.failure());
  auto theirs = measure_cost(options.against, bytes, signal);
  if (signal != 0) return 128 + signal;
  if (!theirs) {
    std::fprintf(stderr, "the other build's instructions cannot be counted\n");
    return 0;
  }
  comparison.ours = std::move(ours).value();
  comparison.theirs = std::move(theirs).value();
  comparison.instructions = judge_cost(*comparison.ours, *comparison.theirs, options.gate);
  return 0;
}

// Where time cannot tell, instructions do; but a build that seems slower and has as many only waits
// longer, which they do not see.
Verdict judge_both(const Comparison& comparison, Verdict time) {
  const bool seems_slower = std::any_of(comparison.judges.begin(), comparison.judges.end(),
                                        [](const Judge& judge) { return judge.is_over_border(); });
  const bool is_of_use = comparison.instructions != Verdict::same || !seems_slower;
  return combine(time, is_of_use ? comparison.instructions : Verdict::undecided);
}

void print_side(const char* build, const Comparison::Side& side) {
  const auto count = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
  const RoleReport& sum = side.sum;
  std::printf(
      "  %-10s %llu of %llu runs verified: sent %llu, received %llu, lost %llu, doubled %llu,"
      " reordered %llu, corrupt %llu\n",
      build, count(side.runs - side.unverified), count(side.runs), count(sum.sent),
      count(sum.received), count(sum.lost), count(sum.doubled), count(sum.reordered),
      count(sum.corrupt));
}

void print_judge(const Judge& judge, bool is_last) {
  if (!judge.ratio().is_known()) {
    std::printf("  %-24s %zu pairs: too few\n", judge.figure().c_str(), judge.pairs());
    return;
  }
  const Interval ratio = judge.ratio();
  std::printf("  %-24s %.3f, 95 %% between %.3f and %.3f, of %zu pairs: %s\n",
              judge.figure().c_str(), ratio.middle, ratio.low, ratio.high, judge.pairs(),
              verdict_name(judge.look(is_last)));
}

void print(const BenchOptions& options, const Comparison& comparison, bool is_last) {
  std::printf("this build over %s, %s (1.1: a tenth more a message; seed %llu):\n",
              options.against.c_str(), options.scenarios.front().c_str(),
              static_cast<unsigned long long>(options.seed));
  print_side("this build", comparison.our_runs);
  print_side("the other", comparison.their_runs);
  for (const Judge& judge : comparison.judges) print_judge(judge, is_last);
  if (comparison.ours)
    std::printf("  %-24s %.3f, of what repeats (%.0f and %.0f): %s\n", "instructions a message",
                instruction_ratio(*comparison.ours, *comparison.theirs),
                comparison.ours->instructions, comparison.theirs->instructions,
                verdict_name(comparison.instructions));
  std::printf("verdict after %.0f s: %s (gate %.0f %%)\n", comparison.seconds,
              verdict_name(comparison.verdict), options.gate * 100);
}

}  // namespace

std::string version_of(const std::string& build) {
  const std::string line = first_line_of(build, "version");
  return line.starts_with("abuzz ") ? line : std::string();
}

void Comparison::Side::add(const RunResult& run) {
  ++runs;
  unverified += run.is_verified() ? 0 : 1;
  for (const auto figure : {&RoleReport::sent, &RoleReport::received, &RoleReport::lost,
                            &RoleReport::doubled, &RoleReport::reordered, &RoleReport::corrupt})
    sum.*figure += run.figures.*figure;
}

Verdict judge_cost(const Cost& ours, const Cost& theirs, double gate) noexcept {
  const double border = 1 + gate / 2;
  const double ratio = instruction_ratio(ours, theirs);
  if (ratio <= 0) return Verdict::undecided;
  if (ratio > border + counting_noise) return Verdict::slower;
  return ratio < border - counting_noise ? Verdict::same : Verdict::undecided;
}

int run_comparison(const BenchOptions& options, const std::string& machine) {
  if (!options.out_file.empty() && !std::ofstream(options.out_file, std::ios::app).is_open())
    return complain({Error::system, "open " + options.out_file});
  Comparison comparison;
  comparison.judges.emplace_back("time a message", options.gate);
  comparison.judges.emplace_back("CPU a message", options.gate);
  Pairs pairs(options, comparison);
  const std::int64_t started_ns = now_ns();
  const bool can_count = options.scenarios.front() == "pubsub" && options.rates.empty() &&
                         has_valgrind() && options.limit_ns > counting_ns;
  const std::int64_t end_ns = started_ns + options.limit_ns - (can_count ? counting_ns : 0);
  Verdict time = Verdict::undecided;
  while (time == Verdict::undecided && now_ns() < end_ns) {
    if (const int code = pairs.make()) return code;
    time = verdict_of_time(comparison.judges, false);
  }
  const bool is_last = time == Verdict::undecided;
  if (is_last) time = verdict_of_time(comparison.judges, true);
  if (time == Verdict::undecided && can_count)
    if (const int code = count_both(options, comparison)) return code;
  comparison.verdict = judge_both(comparison, time);
  comparison.seconds = static_cast<double>(now_ns() - started_ns) / 1e9;

  if (options.is_json)
    std::fputs(encode(options, machine, comparison).c_str(), stdout);
  else
    print(options, comparison, is_last);
  const int unwritten = check_stdout();
  if (!options.out_file.empty()) {
    std::ofstream file(options.out_file);
    file << encode(options, machine, comparison) << std::flush;
    if (!file) return complain({Error::system, "write " + options.out_file});
  }
  if (comparison.our_runs.unverified > 0)
    return complain({Error::criterion_not_met,
                     "a run was not verified: something was lost, doubled, reordered or corrupt"});
  if (!options.has_gate || comparison.verdict != Verdict::slower) return unwritten;
  return complain({Error::criterion_not_met, "this build is slower than " + options.against});
}

}  // namespace abuzz::bench
