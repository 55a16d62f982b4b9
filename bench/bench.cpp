#include "bench/bench.hpp"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "bench/comparison.hpp"
#include "bench/html_report.hpp"
#include "bench/report.hpp"
#include "bench/rounds.hpp"

namespace abuzz::bench {
namespace {

// Signals that would end the benchmark wait until somebody asks for them: a Team while processes
// run, next() otherwise. So Ctrl-C ends it in an orderly way at any moment.
class DeferredSignals {
 public:
  DeferredSignals() {
    sigemptyset(&set_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set_, number);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~DeferredSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  DeferredSignals(const DeferredSignals&) = delete;
  DeferredSignals& operator=(const DeferredSignals&) = delete;
  // The number of one that came, 0 for none.
  int next() const {
    const timespec at_once{};
    return std::max(sigtimedwait(&set_, nullptr, &at_once), 0);
  }

 private:
  sigset_t set_, before_;
};

// A report that goes to a file, if it has a name.
class OutputFile {
 public:
  OutputFile(std::string path, std::string (*make)(const BenchReport&))
      : path_(std::move(path)), make_(make) {}

  // What stands there stays until there is something new.
  bool is_writable() const {
    return path_.empty() || std::ofstream(path_, std::ios::app).is_open();
  }
  bool write(const BenchReport& report) const {
    if (path_.empty()) return true;
    std::ofstream stream(path_);
    stream << make_(report) << std::flush;
    return static_cast<bool>(stream);
  }
  std::string fault() const { return path_ + ": " + std::strerror(errno); }

 private:
  const std::string path_;
  std::string (*const make_)(const BenchReport&);
};

// With the heading that every measurement has.
int compare_builds(const BenchOptions& options) {
  const std::string other = version_of(options.against);
  if (other.empty())
    return complain({Error::bad_flag_value, options.against + " is no abuzz: it does not say its"
                                                              " version"});
  BenchReport report;
  report.options = options;
  report.environment = read_environment();
  if (!options.is_json) {
    print_heading(report);
    std::printf("the other build: %s, %s\n\n", options.against.c_str(), other.c_str());
  }
  return run_comparison(options, report.environment.line());
}

// The exit code of what was measured. What a peer loses is shown, and is no failure of the
// benchmark: it has no rate then.
int judge(const BenchReport& report, int unwritten) {
  const std::vector<std::string> misses = unmet(report.options.slo, report);
  for (const std::string& miss : misses) std::fprintf(stderr, "slo: %s\n", miss.c_str());
  const bool is_verified = std::all_of(
      report.runs.begin(), report.runs.end(),
      [](const RunResult& run) { return run.is_verified() || run.plan.system != &abuzz_system; });
  if (!is_verified)
    return complain({Error::criterion_not_met,
                     "a run was not verified: something was lost, doubled, reordered or corrupt"});
  if (misses.empty()) return unwritten;
  return complain({Error::criterion_not_met, "a condition of --slo was not met"});
}

}  // namespace

int check_stdout() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return 0;
  const std::string cause = std::strerror(errno);
  pollfd reader{STDOUT_FILENO, 0, 0};
  if (poll(&reader, 1, 0) == 1 && (reader.revents & (POLLERR | POLLHUP)) != 0) return 0;
  return complain({Error::system, "write to stdout: " + cause});
}

int complain(const Failure& failure) {
  std::fprintf(stderr, "%s\n", failure.message().c_str());
  return error_info(failure.error).exit_code;
}

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {values.front(), median, values.back()};
}

int run_bench(const BenchOptions& options) {
  const DeferredSignals signals;
  if (options.scenarios.front() == "cost") return run_cost(options);
  if (!options.against.empty()) return compare_builds(options);
  BenchReport report;
  report.options = options;
  report.environment = read_environment();
  if (const int number = signals.next()) return 128 + number;
  const OutputFile files[] = {
      {options.out_file, [](const BenchReport& made) { return document_of(made) + "\n"; }},
      {options.html_file, html_of},
      {options.hgrm_file, hgrm_of}};
  // Before the runs: a wrong path must not cost their time.
  for (const OutputFile& file : files)
    if (!file.is_writable()) return complain({Error::system, "open " + file.fault()});
  if (!options.is_json) print_heading(report);
  if (const int code = check_stdout()) return code;
  const int early = make_runs(report);
  if (early != 0 && !report.runs.empty())
    std::fprintf(stderr, "ended early: %zu runs were made\n", report.runs.size());
  if (early != 0 && report.runs.empty()) return early;
  if (options.is_json) {
    std::fputs((document_of(report) + "\n").c_str(), stdout);
  } else {
    print_tables(report);
  }
  const int unwritten = check_stdout();
  for (const OutputFile& file : files)
    if (!file.write(report)) return complain({Error::system, "write " + file.fault()});
  return early != 0 ? early : judge(report, unwritten);
}

}  // namespace abuzz::bench
