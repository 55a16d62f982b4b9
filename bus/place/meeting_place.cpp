#include "bus/place/meeting_place.hpp"

#include "bus/place/exchange.hpp"
#include "bus/place/topology.hpp"

namespace abuzz::place {

namespace {

constexpr double wake_dear_us = 10;
constexpr base::Nanos wakes_budget = 15 * base::millisecond;

// Of the first core and the last: those two alone, and nobody spins.
Measures measure_wakes(const Topology& topology) {
  const std::uint32_t left = topology.cores.front().processors.front();
  const std::uint32_t right = topology.cores.back().processors.front();
  const auto wake_us = [](std::uint32_t from, std::uint32_t to) {
    return measure_wakes_ns({from}, {to}, wakes_budget) / base::microsecond;
  };
  Measures measures;
  measures.wake_same_us = wake_us(left, left);
  measures.pairs.push_back({left, right, 0, wake_us(left, right)});
  return measures;
}

}  // namespace

bool pays_to_meet(const Measures& measures) noexcept {
  const double across = measures.wake_across_us();
  return measures.wake_same_us > 0 && across > wake_dear_us && measures.wake_same_us * 2 < across;
}

std::optional<std::uint32_t> find_meeting_place(const Config& config) {
  if (pin_wish(config) != PinWish::automatic) return std::nullopt;
  const Topology topology = read_processors();
  if (topology.processor_count() < 2) return std::nullopt;
  std::optional<Measures> measures = kept_measures(config, topology);
  if (!measures) measures = measure_wakes(topology);
  if (!pays_to_meet(*measures)) return std::nullopt;
  const Plan plan = plan_threads(topology, &*measures, {});
  // Pinned threads stay where they are.
  if (plan.pins) return std::nullopt;
  for (const PlannedThread& thread : plan.threads)
    if (thread.role == PlannedThread::Role::shard) return thread.processors.front();
  return std::nullopt;
}

}  // namespace abuzz::place
