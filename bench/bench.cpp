#include "bench/bench.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "bench/report.hpp"

namespace abuzz::bench {
namespace {

// Progress is for a person who watches, so only on a terminal.
class Progress {
 public:
  explicit Progress(std::size_t total) : total_(total), is_shown_(isatty(STDERR_FILENO) == 1) {}
  ~Progress() {
    if (is_shown_) std::fprintf(stderr, "\r\033[K");
  }
  void next(const RunPlan& plan) {
    ++made_;
    if (!is_shown_) return;
    std::fprintf(stderr, "\r\033[Krun %zu of %zu: %s %s, %zu B", made_, total_,
                 plan.scenario.c_str(), plan.system->name, plan.bytes);
    std::fflush(stderr);
  }

 private:
  const std::size_t total_;
  std::size_t made_ = 0;
  const bool is_shown_;
};

int complain(const Failure& failure) {
  std::fprintf(stderr, "%s\n", failure.message().c_str());
  return error_info(failure.error).exit_code;
}

// Whether stdout took what was printed: 0, or the exit code after a complaint. That the reader of a
// pipe left is no fault.
int check_stdout() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return 0;
  const std::string cause = std::strerror(errno);
  pollfd reader{STDOUT_FILENO, 0, 0};
  if (poll(&reader, 1, 0) == 1 && (reader.revents & (POLLERR | POLLHUP)) != 0) return 0;
  return complain({Error::system, "write to stdout: " + cause});
}

double ratio_of(double ours, double theirs) noexcept {
  return theirs > 0 ? ours / theirs : 0;
}

// `runs` holds, for each size and round, one run of each system in their order.
Ratio compare(const BenchReport& report, std::size_t peer, std::size_t bytes) {
  const std::size_t systems = report.options.systems.size();
  Ratio ratio;
  ratio.system = report.options.systems[peer];
  ratio.scenario = report.options.scenario;
  ratio.bytes = bytes;
  std::vector<double> values, p99;
  for (std::size_t at = 0; at + systems <= report.runs.size(); at += systems) {
    const RunResult& ours = report.runs[at];
    const RunResult& theirs = report.runs[at + peer];
    if (ours.plan.bytes != bytes || !ours.is_verified() || !theirs.is_verified()) continue;
    ++ratio.pairs;
    if (ours.figures.p50_ns == 0) {
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

// 0, or the exit code with which the benchmark ends early.
int make_runs(BenchReport& report) {
  const BenchOptions& options = report.options;
  std::vector<const System*> systems;
  for (const std::string& name : options.systems) systems.push_back(find_system(name));
  Progress progress(options.sizes.size() * options.runs * systems.size());
  for (const std::size_t bytes : options.sizes) {
    for (unsigned round = 0; round < options.runs; ++round) {
      for (const System* system : systems) {
        const RunPlan plan{options.scenario, system, bytes, options.duration_ns,
                           options.is_polling};
        progress.next(plan);
        int signal = 0;
        auto run = run_once(plan, signal);
        if (signal != 0) return 128 + signal;
        if (!run) {
          std::fprintf(stderr, "%s%s\n", isatty(STDERR_FILENO) == 1 ? "\r\033[K" : "",
                       run.failure().message().c_str());
          return error_info(run.error()).exit_code;
        }
        report.runs.push_back(std::move(run).value());
      }
    }
  }
  return 0;
}

}  // namespace

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {values.front(), median, values.back()};
}

int run_bench(const BenchOptions& options) {
  BenchReport report;
  report.options = options;
  report.environment = read_environment();
  std::ofstream out;
  if (!options.out_file.empty()) {
    out.open(options.out_file);  // before the runs: a wrong path must not cost their time
    if (!out) {
      return complain({Error::system, "open " + options.out_file + ": " + std::strerror(errno)});
    }
  }
  if (!options.is_json) print_heading(report);
  if (const int code = check_stdout()) return code;
  const int early = make_runs(report);
  if (early != 0) return early;
  for (const std::size_t bytes : options.sizes) {
    if (options.systems.front() != abuzz_system.name) break;
    for (std::size_t peer = 1; peer < options.systems.size(); ++peer) {
      report.ratios.push_back(compare(report, peer, bytes));
    }
  }
  if (options.is_json) {
    std::fputs((document_of(report) + "\n").c_str(), stdout);
  } else {
    print_tables(report);
  }
  const int unwritten = check_stdout();
  if (out.is_open()) {
    out << document_of(report) << std::endl;
    if (!out) return complain({Error::system, "write " + options.out_file});
  }
  const bool is_verified = std::all_of(report.runs.begin(), report.runs.end(),
                                       [](const RunResult& run) { return run.is_verified(); });
  if (is_verified) return unwritten;
  return complain({Error::criterion_not_met,
                   "a run was not verified: something was lost, doubled, reordered or corrupt"});
}

}  // namespace abuzz::bench
