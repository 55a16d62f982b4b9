#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/role_report.hpp"
#include "bench/systems.hpp"
#include "bench/team.hpp"
#include "bus/error.hpp"

namespace abuzz::bench {

// One scenario, run once, on one system. Each scenario is a function that knows which processes it
// needs; the system says how each of them is played.
struct RunPlan {
  std::string scenario;  // "pubsub", "pingpong"
  const System* system = nullptr;
  std::size_t bytes = 64;
  std::int64_t duration_ns = 0;
  bool is_polling = false;
};

struct ProcessCost {
  std::string role;
  std::uint64_t cpu_ns = 0;
  std::uint64_t resident_kib = 0;  // highest
};

struct RunResult {
  RunPlan plan;
  RoleReport figures;  // of the side that verified; `sent` and `back_pressured` of the sender
  std::vector<ProcessCost> processes;
  std::string note;  // what else somebody who doubts should know

  // Count, order and checksum were checked by the receiver and nothing was missing. Without that
  // there is no rate.
  bool is_verified() const noexcept;
  // Messages, or round trips, a second; 0 when not verified.
  double rate() const noexcept;
  double cpu_ns_per_message() const noexcept;  // all processes together
};

bool is_scenario(std::string_view name) noexcept;

// Starts the processes of one run in a private directory, waits for the result, ends them.
// Failure with an empty detail and Error::closed: a signal came, whose number is in `signal`.
Result<RunResult> run_once(const RunPlan& plan, int& signal);

}  // namespace abuzz::bench
