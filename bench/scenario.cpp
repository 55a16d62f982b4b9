#include "bench/scenario.hpp"

#include "bench/heritage.hpp"
#include "bench/scenarios/scenarios.hpp"

namespace abuzz::bench {
namespace {

bool fits_always(const System&) {
  return true;
}
bool fits_abuzz(const System& system) {
  return &system == &abuzz_system;
}

constexpr Scenario scenarios[] = {
    {.name = "pubsub",
     .text = "one publisher to one subscriber",
     .is_round_trip = false,
     .run = run_streams,
     .fits = fits_always},
    {.name = "fanout",
     .text = "one publisher to several subscribers, each of which gets everything",
     .is_round_trip = false,
     .run = run_streams,
     .fits = [](const System& system) { return system.has_fanout; },
     .has_subscribers = true},
    {.name = "fanin",
     .text = "several publishers to one subscriber",
     .is_round_trip = false,
     .run = run_streams,
     .fits = [](const System& system) { return system.has_fanin; },
     .has_publishers = true},
    {.name = "pingpong",
     .text = "one message in flight, there and back: round-trip percentiles",
     .is_round_trip = true,
     .run = run_pingpong,
     .fits = fits_always},
    {.name = "request",
     .text = "one request in flight, and its reply: round-trip percentiles",
     .is_round_trip = true,
     .run = run_request,
     .fits = [](const System& system) { return system.has_request; }},
    {.name = "queue",
     .text = "one publisher to a group of workers, each message to one of them, acknowledged",
     .is_round_trip = false,
     .run = run_queue,
     .fits = [](const System& system) { return system.has_queue; },
     .has_subscribers = true},
    {.name = "burst",
     .text = "a thousand messages at once, a hundred times a second",
     .is_round_trip = false,
     .run = run_streams,
     .fits = fits_always,
     .rate = 100'000,
     .burst = 1000},
    {.name = "idle-wake",
     .text = "one message to processes that have slept for 20 ms",
     .is_round_trip = false,
     .run = run_streams,
     .fits = fits_always,
     .rate = 50},
    {.name = "slow-reader",
     .text = "a subscriber beside one that takes 100 us for each message: figures of the first",
     .is_round_trip = false,
     .run = run_slow_reader,
     .fits = [](const System& system) { return system.has_fanout; },
     .rate = 20'000},
    {.name = "large",
     .text = "pubsub of 1 MiB",
     .is_round_trip = false,
     .run = run_streams,
     .fits = fits_always,
     .bytes = std::size_t{1} << 20},
    {.name = "lanes",
     .text = "64 B on the lane high beside saturating bulk of --size, or a raw pair as busy",
     .is_round_trip = false,
     .run = run_lanes,
     .fits = [](const System& system) { return &system == &abuzz_system || system.hub == nullptr; },
     .bytes = std::size_t{1} << 20,
     .rate = 1000},
    {.name = "heritage",
     .text = "seven loads of many logical agents in 8 processes: messages to each other, tasks",
     .is_round_trip = false,
     .run = run_heritage,
     .fits = fits_abuzz},
};

}  // namespace

std::string RunPlan::title() const {
  return load == nullptr ? scenario : scenario + " " + load->name;
}

bool RunResult::is_verified() const noexcept {
  return figures.received != 0 && figures.received == expected && figures.lost == 0 &&
         figures.reordered == 0 && figures.doubled == 0 && figures.corrupt == 0 &&
         figures.elapsed_ns != 0 && fault.empty();
}

std::uint64_t RunResult::handled() const noexcept {
  return figures.received + received_beside;
}

std::uint64_t RunResult::unaccounted() const noexcept {
  const std::uint64_t missing = expected > figures.received ? expected - figures.received : 0;
  return missing > figures.lost ? missing : figures.lost;
}

double RunResult::rate() const noexcept {
  if (!is_verified()) return 0;
  const std::uint64_t count = figures.measured != 0 ? figures.measured : figures.received;
  // From the first to the last receipt there is an interval less than there are messages.
  const double interval_ns = plan.rate > 0 ? 1e9 * plan.burst / plan.rate : 0;
  return static_cast<double>(count) * 1e9 / (static_cast<double>(figures.elapsed_ns) + interval_ns);
}

double RunResult::achieved_rate() const noexcept {
  if (figures.sending_ns == 0) return 0;
  return static_cast<double>(figures.sent) * 1e9 / static_cast<double>(figures.sending_ns);
}

double RunResult::cpu_ns_per_message() const noexcept {
  std::uint64_t cpu_ns = 0;
  for (const ProcessCost& process : processes) cpu_ns += process.cpu_ns;
  const std::uint64_t messages = handled();
  return messages == 0 ? 0 : static_cast<double>(cpu_ns) / static_cast<double>(messages);
}

const Scenario* find_scenario(std::string_view name) noexcept {
  for (const Scenario& scenario : scenarios) {
    if (name == scenario.name) return &scenario;
  }
  return nullptr;
}

std::string scenario_names() {
  std::string names;
  for (const Scenario& scenario : scenarios) {
    if (!names.empty()) names += ", ";
    names += scenario.name;
  }
  return names;
}

Result<RunResult> run_once(const RunPlan& plan, int& signal) {
  return find_scenario(plan.scenario)->run(plan, signal);
}

}  // namespace abuzz::bench
