#include <cstdio>
#include <fstream>

#include "bench/bench.hpp"
#include "bench/comparison.hpp"
#include "bench/cost_file.hpp"

namespace abuzz::bench {
namespace {

struct Figure {
  const char* name;
  double Cost::*value;
  double tolerance;  // beside the gate: what differs from run to run, and means nothing
};
// How often threads sleep depends on who else runs: system calls differ up to four times, and tell
// only of what adds many to each message; of frames there are a few more or less.
constexpr Figure figures[] = {
    {"system calls a message", &Cost::system_calls, 9.0},
    {"allocations a message", &Cost::allocations, 0.15},
    {"bytes moved a message", &Cost::moved_bytes, 0.02},
};

void print_cost(const Cost& cost) {
  std::printf("  %zu B, what a message costs from publisher to handler:\n", cost.bytes);
  std::printf("    %-24s %10.1f  of the functions that repeat; the others look for work\n",
              "instructions", cost.instructions);
  for (const Figure& figure : figures)
    std::printf("    %-24s %10.3f\n", figure.name, cost.*figure.value);
}

double ratio_of(const Cost& ours, const Cost& theirs, const Figure& figure) {
  return theirs.*figure.value > 0 ? ours.*figure.value / theirs.*figure.value : 1;
}
bool is_more(const Cost& ours, const Cost& theirs, const Figure& figure, double gate) {
  return ratio_of(ours, theirs, figure) > 1 + gate + figure.tolerance;
}

// Prints each figure beside the one of the file; false when one is over the gate.
bool compare(const Cost& ours, const Cost& theirs, double gate, bool is_silent) {
  const Verdict verdict = judge_cost(ours, theirs, gate);
  // Where nothing can be compared, nothing is known to be within.
  bool is_within = verdict != Verdict::slower && instruction_ratio(ours, theirs) > 0;
  for (const Figure& figure : figures)
    is_within = is_within && !is_more(ours, theirs, figure, gate);
  if (is_silent) return is_within;
  std::printf("  %zu B over the file:\n    %-24s %10.3f  %s\n", ours.bytes,
              "instructions a message", instruction_ratio(ours, theirs), verdict_name(verdict));
  for (const Figure& figure : figures)
    std::printf("    %-24s %10.3f  %s\n", figure.name, ratio_of(ours, theirs, figure),
                is_more(ours, theirs, figure, gate) ? "more" : "not more");
  return is_within;
}

const Cost* find_size(const std::vector<Cost>& costs, std::size_t bytes) {
  for (const Cost& cost : costs) {
    if (cost.bytes == bytes) return &cost;
  }
  return nullptr;
}

// Reads what --against names: all sizes must be there. 0, or the exit code after a complaint.
int read_stored(const BenchOptions& options, const std::vector<std::size_t>& sizes,
                StoredCosts& stored) {
  if (options.against.empty()) return 0;
  stored = read_costs(options.against);
  if (stored.costs.empty())
    return complain({Error::bad_flag_value, options.against + " is not a file of bench cost"});
  for (const std::size_t bytes : sizes)
    if (find_size(stored.costs, bytes) == nullptr)
      return complain({Error::bad_flag_value,
                       options.against + " has nothing of " + std::to_string(bytes) + " B"});
  return 0;
}

}  // namespace

int run_cost(const BenchOptions& options) {
  const std::vector<std::size_t> sizes =
      options.sizes.empty() ? std::vector<std::size_t>{64} : options.sizes;
  StoredCosts stored;
  if (const int code = read_stored(options, sizes, stored)) return code;
  if (!has_valgrind())
    return complain({Error::system, "valgrind is not there: apt-get install valgrind"});
  const std::string machine = fingerprint_of(read_environment());
  if (!options.is_json) std::printf("%s\n%s\n", options.command.c_str(), machine.c_str());
  if (!options.is_json && !stored.machine.empty())
    std::printf("the file is of: %s\n", stored.machine.c_str());
  std::vector<Cost> costs;
  bool is_within = true;
  for (const std::size_t bytes : sizes) {
    int signal = 0;
    auto cost = measure_cost({}, bytes, signal);
    if (signal != 0) return 128 + signal;
    if (!cost) return complain(cost.failure());
    const Cost* other = find_size(stored.costs, bytes);
    if (!options.is_json) print_cost(cost.value());
    if (other != nullptr)
      is_within = compare(cost.value(), *other, options.gate, options.is_json) && is_within;
    costs.push_back(std::move(cost).value());
  }
  const std::string document = encode_costs(costs, machine);
  if (options.is_json) std::fputs(document.c_str(), stdout);
  const int unwritten = check_stdout();
  if (!options.out_file.empty()) {
    std::ofstream file(options.out_file);
    file << document << std::flush;
    if (!file) return complain({Error::system, "write " + options.out_file});
  }
  if (is_within || !options.has_gate) return unwritten;
  return complain(
      {Error::criterion_not_met, "a message costs more than " + options.against + " says"});
}

}  // namespace abuzz::bench
