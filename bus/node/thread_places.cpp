#include "bus/node/thread_places.hpp"

#include <algorithm>
#include <optional>
#include <system_error>

#include "bus/place/topology.hpp"

namespace abuzz::node {

Plan plan_node(const Config& config) {
  const PlanWishes wishes{pin_wish(config), config.place.shards, {}, false};
  const Topology bare = place::read_processors();
  const std::optional<Measures> kept = kept_measures(config, bare);
  const Measures* measures = kept ? &*kept : nullptr;
  Plan plan = plan_threads(bare, measures, wishes);
  // There are never more cores than processors: what does not pin here would not with hwloc either,
  // and where there is one shard there would not be more.
  if (!plan.pins && (plan.shard_count == 1 || wishes.shards != 0)) return plan;
  return plan_threads(read_topology(), measures, wishes);
}

void ThreadPlaces::start(Role role, std::uint32_t index, const std::function<void()>& start) {
  const auto planned = std::ranges::find_if(plan_.threads, [&](const PlannedThread& thread) {
    return thread.role == role && thread.index == index;
  });
  row_ = nullptr;
  if (planned == plan_.threads.end()) return start();
  // The door may run anywhere: that is no pin.
  const bool pins = plan_.pins && role != Role::door;
  if (!pins) {
    note(*planned, {0, place::read_affinity()}, false);
    return start();
  }
  place::run_on(planned->processors, [&](const place::PinOutcome& outcome) {
    note(*planned, outcome, true);
    start();
  });
}

std::uint32_t ThreadPlaces::cache_of_shard(std::uint32_t index) const noexcept {
  for (const PlannedThread& thread : plan_.threads)
    if (plan_.pins && thread.role == Role::shard && thread.index == index) return thread.cache;
  return 0;
}

void ThreadPlaces::note(const PlannedThread& thread, const place::PinOutcome& outcome, bool pins) {
  if (outcome.refused != 0 && log_) {
    log_("warn " + thread.name() + " was not pinned to processor " +
         place::processors_text(thread.processors) + ": " +
         std::generic_category().message(outcome.refused));
  }
  const bool is_planned = pins || thread.role == Role::door;
  StatsRow* row = row_ =
      stats_.add_row(RowKind::thread, {}, thread.name(), place::processors_text(outcome.actual),
                     is_planned ? thread.reason : plan_.pin_reason);
  if (row == nullptr) return;
  row->set(ThreadCounter::role, static_cast<std::uint64_t>(thread.role));
  row->set(ThreadCounter::index, thread.index);
  row->set(ThreadCounter::pinned, pins && outcome.refused == 0 ? 1 : 0);
  row->set(ThreadCounter::refused, outcome.refused != 0 ? 1 : 0);
  row->set(ThreadCounter::processors, outcome.actual.size());
}

}  // namespace abuzz::node
