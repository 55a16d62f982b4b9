#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/environment.hpp"
#include "bench/scenario.hpp"
#include "bench/slo.hpp"
#include "bus/error.hpp"

namespace abuzz::bench {

struct BenchOptions {
  std::vector<std::string> scenarios;
  std::vector<std::size_t> sizes;  // empty: as the scenario has it
  std::int64_t duration_ns = 2'000'000'000;
  bool has_duration = false;  // somebody asked for it
  bool may_spin = false;      // there are processors to spare for publishers of an open loop
  std::string load;           // of heritage; empty: all
  unsigned runs = 5;
  std::vector<std::string> systems{"abuzz"};  // in the order of their turns
  // Offered messages a second, of all publishers, one after the other; empty: as the scenario has
  // it, or as fast as they are let.
  std::vector<double> rates;
  unsigned publishers = 4;   // of fanin
  unsigned subscribers = 4;  // of fanout and queue
  // After each size of pubsub: latency at half of each peer's own highest rate, beside Abuzz.
  bool has_half_load = false;
  bool is_polling = false;
  // Where reports go; empty: none.
  std::string out_file;        // every run as JSON
  std::string html_file;       // a page with charts
  std::string hgrm_file;       // percentiles as HdrHistogram writes them
  bool is_json = false;        // the document on stdout instead of the table
  std::string command;         // as the user typed it
  std::string settings;        // " --set place.pin=on": of the command, what every run needs
  std::vector<Condition> slo;  // what Abuzz must reach, or the exit code is 6
  std::string link = "zmq";    // asked for; what was used is in the report
  std::string profile;         // of waiting; empty: as the config says
  // --against: another build, or a file of the scenario cost.
  std::string against;
  bool has_gate = false;  // slower by that much is exit code 6
  double gate = 0.1;
  std::int64_t limit_ns = 600'000'000'000;
  std::uint64_t seed = 1;  // of the order of pairs
};

// Smallest, middle and largest of some runs.
struct Spread {
  double min = 0, median = 0, max = 0;
};
Spread spread_of(std::vector<double> values);

// Abuzz, when it is the first system, over a peer: one ratio for each round.
struct Ratio {
  std::string system, scenario;
  std::size_t bytes = 0;
  double rate = 0;        // offered, where both had to send at one
  Spread main;            // of the rates; of p50 where the scenario is about latency
  Spread p99;             // where the scenario is about latency
  std::size_t pairs = 0;  // both sides verified
};

struct BenchReport {
  BenchOptions options;
  Environment environment;
  std::vector<RunResult> runs;  // in the order in which they were made
  std::vector<Ratio> ratios;
};

// Whether the figures of such runs are latencies.
inline bool is_about_latency(const RunPlan& plan) noexcept {
  return plan.rate > 0 || find_scenario(plan.scenario)->is_round_trip;
}

// Prints it on stderr; its exit code.
int complain(const Failure& failure);

// Whether stdout took what was printed: 0, or the exit code after a complaint. That the reader of a
// pipe left is no fault.
int check_stdout();

// Runs everything, the systems in turns, and prints. Returns the exit code: 6 when a run of Abuzz
// was not verified, 128 + n after signal n. What was measured until then is printed and written all
// the same.
int run_bench(const BenchOptions& options);

}  // namespace abuzz::bench
