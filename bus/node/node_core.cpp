#include "bus/node/node_core.hpp"

#include <algorithm>
#include <utility>

#include "bus/node/thread_places.hpp"

namespace abuzz::node {
namespace {

constexpr base::Nanos tend_interval = base::second;
// The pool doubles what missed, so a few steps in a row reach any size.
constexpr base::Nanos maintain_interval = 10 * base::millisecond;

// Negative stands for never.
base::Nanos sooner(base::Nanos left, base::Nanos right) noexcept {
  if (left < 0) return right;
  if (right < 0) return left;
  return std::min(left, right);
}

}  // namespace

std::size_t NodeCore::stats_rows_max(const Config& config) noexcept {
  const NodeConfig& node = config.node;
  return std::size_t{1}                              // the process
         + ThreadPlaces::rows_max                    // threads
         + node.agents_max                           // agents
         + node.publications_max                     // publications
         + node.subscriptions_max                    // subscriptions
         + std::size_t{4} * node.subscriptions_max;  // pairs: a few publications each
}

NodeCore::NodeCore(Parts&& parts, base::Nanos now)
    : parts_(std::move(parts)),
      log_(parts_.config.log, std::move(parts_.log)),
      junction_({parts_.pool, *parts_.stats, parts_.config, parts_.identity.node_id,
                 parts_.identity.node_epoch, static_cast<std::uint32_t>(parts_.places.size()),
                 parts_.wake},
                std::move(parts_.owed)),
      shards_(make_shards()),
      reception_({parts_.door, junction_, places(), parts_.host, log_, parts_.stats->process(),
                  parts_.config, parts_.identity, parts_.managed},
                 now),
      tend_at_(now),
      maintain_earliest_(now) {}

std::vector<std::unique_ptr<Shard>> NodeCore::make_shards() {
  std::vector<std::unique_ptr<Shard>> shards;
  for (const Parts::Place& place : parts_.places) {
    const auto index = static_cast<std::uint32_t>(shards.size());
    shards.push_back(
        std::make_unique<Shard>(Shard::Parts{junction_, *place.hub, parts_.pool, parts_.config,
                                             parts_.identity.node_epoch, index, parts_.clock}));
  }
  return shards;
}

std::vector<Reception::Place> NodeCore::places() const {
  std::vector<Reception::Place> places;
  for (const auto& shard : shards_) {
    const Parts::Place& place = parts_.places[places.size()];
    places.push_back({*shard, place.hub->endpoint(), place.cache});
  }
  return places;
}

std::size_t NodeCore::do_work(base::Nanos now, base::Nanos wall_now) {
  std::size_t done = reception_.do_work(now);
  for (const auto& shard : shards_) done += shard->do_work(now, wall_now);
  tend(now);
  return done;
}

base::Nanos NodeCore::next_deadline() const {
  if (reception_.phase() == Reception::Phase::left) return -1;
  base::Nanos deadline = sooner(reception_.next_deadline(), tend_at_);
  for (const auto& shard : shards_) deadline = sooner(deadline, shard->next_deadline());
  return deadline;
}

bool NodeCore::has_new_misses() const noexcept {
  return parts_.pool.counters().misses != misses_tended_.read();
}

std::size_t NodeCore::tend(base::Nanos now) {
  std::size_t done = 0;
  const bool is_due = now >= tend_at_;
  if (is_due || has_new_misses()) {
    if (now < maintain_earliest_) {
      tend_at_ = std::min(tend_at_, maintain_earliest_);
      return 0;
    }
    maintain_earliest_ = now + maintain_interval;
    misses_tended_.publish(parts_.pool.counters().misses);
    done = parts_.pool.maintain(now);
  }
  if (!is_due) return done;
  tend_at_ = now + tend_interval;
  StatsRow& process = parts_.stats->process();
  const mem::PoolCounters pool = parts_.pool.counters();
  process.set(ProcessCounter::pool_hits, pool.hits);
  process.set(ProcessCounter::pool_misses, pool.misses);
  process.set(ProcessCounter::pool_bytes_held, pool.bytes_held);
  process.set(ProcessCounter::beat_ns, static_cast<std::uint64_t>(now));
  return done;
}

}  // namespace abuzz::node
