#include "bench/bench.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "bench/report.hpp"
#include "bench/rounds.hpp"

namespace abuzz::bench {
namespace {

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
  // What a peer loses is shown, and is no failure of the benchmark: it has no rate then.
  const bool is_verified = std::all_of(
      report.runs.begin(), report.runs.end(),
      [](const RunResult& run) { return run.is_verified() || run.plan.system != &abuzz_system; });
  if (is_verified) return unwritten;
  return complain({Error::criterion_not_met,
                   "a run was not verified: something was lost, doubled, reordered or corrupt"});
}

}  // namespace abuzz::bench
