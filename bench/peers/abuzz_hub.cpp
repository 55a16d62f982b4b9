#include <chrono>
#include <thread>

#include "bench/peers/abuzz_parts.hpp"
#include "bus/node.hpp"
#include "bus/stats.hpp"

namespace abuzz::bench {
namespace {

using namespace std::chrono_literals;

// What the node's counters say of messages that matched a subscription.
struct Drops {
  std::uint64_t dropped = 0, waiting = 0;
};

template <class Id>
void add_row(const RowSnapshot& row, Drops& drops) {
  for (const Id id :
       {Id::dropped_queue_full, Id::dropped_peer_gone, Id::dropped_shutdown, Id::dropped_corrupt,
        Id::dropped_too_large, Id::dropped_conflated, Id::dropped_expired, Id::dropped_dead})
    drops.dropped += row.get(id);
  drops.waiting += row.get(Id::queued) + row.get(Id::in_flight);
}

// Pairs that live, and what topics remember of those that ended.
Drops read_drops(const std::string& path) {
  Drops drops;
  auto stats = read_stats(path);
  if (!stats) return drops;
  for (const RowSnapshot& row : stats.value().rows) {
    if (row.kind == RowKind::pair) add_row<PairCounter>(row, drops);
    if (row.kind == RowKind::topic) add_row<TopicCounter>(row, drops);
  }
  return drops;
}

// Once nothing is under way any more, or nearly so.
std::uint64_t settled_drops(const std::string& path) {
  Drops drops = read_drops(path);
  for (int look = 0; look < 200 && drops.waiting > 0; ++look) {
    std::this_thread::sleep_for(10ms);
    drops = read_drops(path);
  }
  return drops.dropped;
}

// "node-io 0,1; node-shard-0 1 (pinned)": each thread and the processors that it may run on.
std::string read_placement(const std::string& path) {
  auto stats = read_stats(path);
  std::string text;
  if (!stats) return text;
  for (const RowSnapshot& row : stats.value().rows) {
    if (row.kind != RowKind::thread) continue;
    text += (text.empty() ? "" : "; ") + row.text + " on " + row.text2;
    if (row.get(ThreadCounter::pinned) != 0) text += " (pinned)";
  }
  return text;
}

}  // namespace

bool run_abuzz_hub(const RoleOptions& options, RoleChannel& channel) {
  auto config = abuzz_config(options);
  if (!config) {
    channel.failed(config.failure().message());
    return false;
  }
  config.value().log.level = "error";
  auto node = Node::start(config.value(), true);
  if (!node) {
    channel.failed(node.failure().message());
    return false;
  }
  channel.ready();
  if (!channel.await("stop")) return false;
  RoleReport report;
  const std::string counters = options.directory + "/node.counters";
  report.placement = read_placement(counters);
  report.dropped = settled_drops(counters);
  channel.done(report);
  node.value().stop(1s);
  return true;
}

}  // namespace abuzz::bench
