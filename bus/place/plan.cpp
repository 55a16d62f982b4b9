#include <algorithm>
#include <cmath>
#include <cstdio>

#include "bus/place/affinity.hpp"
#include "bus/placement.hpp"

namespace abuzz {
namespace {

using Core = Topology::Core;
using Role = PlannedThread::Role;

// A round trip of wake-ups above this is dear: most of what a small exchange over the bus costs.
constexpr double wake_dear_us = 10;
// Lateness above this says that processors are not ours when we want them.
constexpr double timer_late_us_max = 1000;
constexpr std::size_t pin_cores_min = 4;
constexpr std::size_t shard_cores_min = 4;
// Shards take turns at one switch: bench/README.md, "Shards". More would only wait for each other.
constexpr std::size_t shards_max = 8;

std::string us_text(double us) {
  char text[32];
  std::snprintf(text, sizeof text, us < 9.95 ? "%.1f us" : "%.0f us", us);
  return text;
}

std::string cores_text(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " core" : " cores");
}

// What is decided, in the order in which it is decided.
class Planner {
 public:
  Planner(const Topology& topology, const Measures* measures, const PlanWishes& wishes)
      : topology_(topology), measures_(measures), wishes_(wishes) {
    if (measures != nullptr) wake_across_us_ = measures->wake_across_us();
  }

  Plan make() {
    rank_cores();
    count_shards();
    place_shards();
    if (wishes_.pool_workers) place_workers();
    PlannedThread door{Role::door, 0, all_processors(), "anywhere: it wakes once a second"};
    plan_.threads.push_back(std::move(door));
    tell_left();
    decide_pinning();
    tell_conversation();
    return std::move(plan_);
  }

 private:
  // Fast ones first, cache by cache; the core that is left to others comes last.
  void rank_cores() {
    for (const Core& core : topology_.cores) ranked_.push_back(&core);
    const auto slowness = [&](const Core* core) { return topology_.kind_count - core->kind; };
    std::ranges::stable_sort(ranked_, {}, slowness);
    fast_count_ = static_cast<std::size_t>(std::ranges::count_if(
        ranked_, [&](const Core* core) { return core->kind == ranked_.front()->kind; }));
    // Where all are alike, it is the one that holds the first processor: the kernel's own work, and
    // most interrupts, are there.
    const auto spared = fast_count_ < ranked_.size()
                            ? ranked_.end() - 1
                            : std::ranges::min_element(ranked_, {}, [](const Core* core) {
                                return core->processors.front();
                              });
    std::rotate(spared, spared + 1, ranked_.end());
  }

  // Cores that may be busy at once: a quota stops everybody when it is used up.
  std::size_t budget() const {
    const std::size_t cores = ranked_.size();
    if (!topology_.quota || *topology_.quota >= static_cast<double>(cores)) return cores;
    return std::max<std::size_t>(1, static_cast<std::size_t>(std::floor(*topology_.quota)));
  }
  bool is_quota_tight() const { return budget() < ranked_.size(); }
  std::string budget_text() const {
    if (!is_quota_tight()) return cores_text(ranked_.size());
    char quota[32];
    std::snprintf(quota, sizeof quota, "%.3g", *topology_.quota);
    return std::string("a quota of ") + quota + " on " + cores_text(ranked_.size());
  }

  void count_shards() {
    const std::size_t cores = ranked_.size();
    if (wishes_.shards > 0) {
      const bool fits = wishes_.shards <= cores || wishes_.may_share_cores;
      plan_.shard_count = fits ? wishes_.shards : static_cast<std::uint32_t>(cores);
      plan_.shard_reason = "as asked";
      if (wishes_.shards > cores) {
        plan_.shard_reason = std::to_string(wishes_.shards) + " were asked for, of " +
                             cores_text(cores) +
                             (fits ? ": some share one, as asked" : "; two never share one");
      }
      return;
    }
    std::size_t count = budget() - 1;
    plan_.shard_reason = budget_text() + ": one shard a core, one core left to others";
    // Agents need cores, too, and a second shard wakes up beside the first for each message.
    if (budget() < shard_cores_min) {
      count = 1;
      plan_.shard_reason =
          budget_text() + ": one shard (more from " + std::to_string(shard_cores_min) + " on)";
    }
    // A slow core would make a slow shard, and its agents would all feel it.
    if (fast_count_ < cores && count > fast_count_) {
      count = fast_count_;
      plan_.shard_reason = budget_text() + ": one shard a fast core, slow ones left to others";
    }
    if (count > shards_max) {
      count = shards_max;
      plan_.shard_reason = budget_text() + ": more would wait for each other";
    }
    plan_.shard_count = static_cast<std::uint32_t>(count);
  }

  std::string where_text(const Core& core) const {
    std::string text = core.processors.size() > 1 ? "core of " : "core ";
    text += place::processors_text(core.processors);
    if (topology_.knows_caches) text += ", L3 " + std::to_string(core.cache);
    if (topology_.knows_numa) text += ", NUMA node " + std::to_string(core.numa);
    if (topology_.kind_count > 1) text += ", kind " + std::to_string(core.kind);
    return text;
  }

  void place_shards() {
    for (std::uint32_t i = 0; i < plan_.shard_count; ++i) {
      const Core& core = *ranked_[i % ranked_.size()];
      std::string reason = where_text(core) + ": ";
      if (i >= ranked_.size()) {
        reason += "shared, as asked";
      } else if (ranked_.size() == 1) {
        reason += "the only one";
      } else if (i + 1 == ranked_.size()) {
        reason += "also the last one, as asked";
      } else {
        reason += core.processors.size() > 1 ? "its own, no shard on its siblings" : "its own";
      }
      plan_.threads.push_back(
          {Role::shard, i, {core.processors.front()}, std::move(reason), core.cache});
      plan_.threads.push_back(io_thread(i, core));
    }
  }

  PlannedThread io_thread(std::uint32_t index, const Core& core) const {
    PlannedThread thread{Role::io, index, {core.processors.front()}, ""};
    if (wake_across_us_ > wake_dear_us && measures_->wake_same_us > 0) {
      thread.reason = "with its shard: a wake-up there and back takes " + us_text(wake_across_us_) +
                      " across cores, " + us_text(measures_->wake_same_us) + " on one";
    } else if (core.processors.size() > 1) {
      thread.processors = {core.processors[1]};
      thread.reason = "the sibling of its shard: near, and nobody else's core";
    } else {
      thread.processors.clear();
      for (const Core& each : topology_.cores) {
        if (each.cache != core.cache) continue;
        thread.processors.insert(thread.processors.end(), each.processors.begin(),
                                 each.processors.end());
      }
      std::ranges::sort(thread.processors);
      thread.reason = topology_.knows_caches ? "anywhere under its shard's cache: it has no sibling"
                                             : "anywhere in its shard's package: it has no sibling";
    }
    return thread;
  }

  // From the last core on, so that they meet shards as late as possible.
  void place_workers() {
    const std::size_t cores = ranked_.size();
    const std::size_t shards = std::min<std::size_t>(plan_.shard_count, cores);
    const std::size_t asked = *wishes_.pool_workers;
    std::size_t count = asked;
    plan_.worker_reason = "as asked";
    if (asked == 0) {
      count = budget();
      plan_.worker_reason = budget_text() + ": one worker a core, those without a shard first";
    } else if (asked > cores && !wishes_.may_share_cores) {
      count = cores;
      plan_.worker_reason = std::to_string(asked) + " were asked for, of " + cores_text(cores) +
                            "; two never share one";
    }
    plan_.worker_count = static_cast<std::uint32_t>(count);
    for (std::uint32_t i = 0; i < plan_.worker_count; ++i) {
      const std::size_t rank = cores - 1 - i % cores;
      const Core& core = *ranked_[rank];
      std::string reason = where_text(core) + ": ";
      reason += i >= cores      ? "shared, as asked"
                : rank < shards ? "with a shard: no other core is free"
                                : "no shard has it";
      plan_.threads.push_back(
          {Role::worker, i, {core.processors.front()}, std::move(reason), core.cache});
    }
  }

  std::vector<std::uint32_t> all_processors() const {
    std::vector<std::uint32_t> all;
    for (const Core& core : topology_.cores) {
      all.insert(all.end(), core.processors.begin(), core.processors.end());
    }
    std::ranges::sort(all);
    return all;
  }

  void tell_left() {
    std::size_t whole_cores = 0;
    for (const Core* core : ranked_) {
      bool is_free = true;
      for (const PlannedThread& thread : plan_.threads) {
        if (thread.role != Role::shard && thread.role != Role::worker) continue;
        is_free = is_free && thread.processors.front() != core->processors.front();
      }
      if (!is_free) continue;
      ++whole_cores;
      plan_.left.insert(plan_.left.end(), core->processors.begin(), core->processors.end());
    }
    std::ranges::sort(plan_.left);
    plan_.left_reason = cores_text(whole_cores) + " for agents and the rest of the world";
  }

  // Why pinning cannot win here; empty: it can.
  std::string why_not_pin() const {
    if (ranked_.size() < pin_cores_min) {
      return "with " + cores_text(ranked_.size()) +
             " the kernel needs all its freedom (auto: from " + std::to_string(pin_cores_min) +
             " cores on)";
    }
    if (is_quota_tight()) return "under " + budget_text() + " nobody may wait for one core";
    if (!topology_.knows_cores) return "nothing says which processors share a core";
    if (measures_ == nullptr) {
      return topology_.is_this_machine ? "nothing was measured: `abuzz topo --measure` does" : "";
    }
    if (wake_across_us_ > wake_dear_us) {
      return "a wake-up there and back takes " + us_text(wake_across_us_) +
             " across cores: the kernel may bring talkers together (auto: up to " +
             us_text(wake_dear_us) + ")";
    }
    if (measures_->timer_late_us > timer_late_us_max) {
      return "timers are " + us_text(measures_->timer_late_us) + " late: processors are shared";
    }
    return "";
  }

  void decide_pinning() {
    plan_.pins = wishes_.pin == PinWish::on;
    plan_.pin_reason = "as asked";
    if (wishes_.pin != PinWish::automatic) return;
    plan_.pin_reason = why_not_pin();
    plan_.pins = plan_.pin_reason.empty();
    if (!plan_.pins) return;
    plan_.pin_reason = cores_text(ranked_.size()) + ", no quota, ";
    plan_.pin_reason += measures_ == nullptr ? "nothing measured on a machine that is not here"
                                             : "a wake-up there and back takes " +
                                                   us_text(wake_across_us_) + " across cores";
  }

  void tell_conversation() {
    if (measures_ == nullptr || measures_->wake_same_us <= 0 || wake_across_us_ <= 0) return;
    const std::string cost =
        us_text(wake_across_us_) + " across cores, " + us_text(measures_->wake_same_us) + " on one";
    plan_.conversation = wake_across_us_ > wake_dear_us
                             ? "two that wait for each other belong on one core: " + cost
                             : "two that wait for each other may be anywhere: " + cost;
  }

  const Topology& topology_;
  const Measures* const measures_;
  const PlanWishes& wishes_;
  double wake_across_us_ = 0;
  std::vector<const Core*> ranked_;  // in the order in which shards take them
  std::size_t fast_count_ = 0;       // of the fastest kind
  Plan plan_;
};

}  // namespace

PinWish pin_wish(const Config& config) noexcept {
  if (config.place.pin == "on") return PinWish::on;
  return config.place.pin == "off" ? PinWish::off : PinWish::automatic;
}

std::string PlannedThread::name() const {
  switch (role) {
    case Role::shard:
      return "shard " + std::to_string(index);
    case Role::io:
      return "I/O " + std::to_string(index);
    case Role::worker:
      return "worker " + std::to_string(index);
    case Role::door:
      break;
  }
  return "door";
}

Plan plan_threads(const Topology& topology, const Measures* measures, const PlanWishes& wishes) {
  return Planner(topology, measures, wishes).make();
}

}  // namespace abuzz
