#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/role_report.hpp"
#include "bench/systems.hpp"
#include "bus/error.hpp"

namespace abuzz::bench {

// One scenario, run once, on one system. Each scenario is a function that knows which processes it
// needs; the system says how each of them reaches the others.
struct HeritageLoad;
struct RunPlan {
  std::string scenario;  // a name of scenario_names()
  const System* system = nullptr;
  std::size_t bytes = 64;
  std::int64_t duration_ns = 0;
  double rate = 0;  // messages a second of all publishers together; 0: as fast as they are let
  unsigned publishers = 1, subscribers = 1;
  bool is_polling = false;
  double beside_rate = 0;  // of lanes, on another system: as many a second as Abuzz had of bulk
  unsigned burst = 1;      // at a rate: so many are to leave at the same moment
  bool may_spin = false;   // at a rate: who sends, until it is time
  const HeritageLoad* load = nullptr;  // of heritage

  std::vector<std::string> program;  // that plays the roles; empty: this one
  std::uint64_t messages = 0;        // a source ends after so many; 0: after the duration

  // "pubsub", "heritage peak"
  std::string title() const;
};

struct ProcessCost {
  std::string role;
  std::uint64_t cpu_ns = 0;
  std::uint64_t resident_kib = 0;  // highest
};

struct RunResult {
  RunPlan plan;
  // Of all that received, together; `sent` and `back_pressured` of all that sent.
  RoleReport figures;
  std::uint64_t expected = 0;  // receipts, over all that receive
  std::vector<ProcessCost> processes;
  std::string note;                   // what else somebody who doubts should know
  std::string link;                   // really used, where the system can tell
  std::string placement;              // of the threads of each role, when it was done
  double beside_rate = 0;             // of lanes: messages of bulk a second, if these were verified
  std::uint64_t received_beside = 0;  // by who is not in the figures: bulk of lanes, a slow reader
  std::string fault;                  // why it could not be made: then there are no figures

  // Count, order and checksum were checked by every receiver and nothing was missing. Without that
  // there is no rate.
  bool is_verified() const noexcept;
  // Receipts over which the CPU of all processes is spread.
  std::uint64_t handled() const noexcept;
  // To be received, and not received once, intact.
  std::uint64_t unaccounted() const noexcept;
  // Messages received, or round trips, a second; 0 when not verified.
  double rate() const noexcept;
  // What was sent a second, at a rate; 0 otherwise.
  double achieved_rate() const noexcept;
  double cpu_ns_per_message() const noexcept;  // all processes together
};

struct Scenario {
  const char* name;
  const char* text;    // what happens, for people
  bool is_round_trip;  // its figures are latencies; it takes no rate
  Result<RunResult> (*run)(const RunPlan&, int& signal);
  // Whether the system has the pattern.
  bool (*fits)(const System&);
  std::size_t bytes = 64;  // without --size
  double rate = 0;         // without --rate; 0: as fast as it is let
  unsigned burst = 1;
  bool has_publishers = false;  // as many as --pubs says
  bool has_subscribers = false;
};
// nullptr for none.
const Scenario* find_scenario(std::string_view name) noexcept;
// "pubsub, fanout, ..."
std::string scenario_names();

// Starts the processes of one run in a private directory, waits for the result, ends them.
// Failure with an empty detail and Error::closed: a signal came, whose number is in `signal`.
// Requires: the scenario exists and fits the system.
Result<RunResult> run_once(const RunPlan& plan, int& signal);

}  // namespace abuzz::bench
