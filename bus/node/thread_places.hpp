#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "bus/config.hpp"
#include "bus/node/peer_log.hpp"
#include "bus/place/pin.hpp"
#include "bus/placement.hpp"
#include "bus/stats.hpp"

namespace abuzz::node {

// Where this node's threads belong on this machine, by what was measured on it before. Nothing is
// read where place.pin is off, or where the number of processors alone decides.
Plan plan_node(const Config& config);

// Starts the threads of a node where the plan wants them, and keeps a row for each: what was asked,
// what the kernel gave, and why. A refusal is a warning and a counter; the node runs all the same.
//
// Threads: the one that starts the node. A row is added before its thread starts, so that nobody
// else adds rows at that time. Ownership: the file outlives it.
class ThreadPlaces {
 public:
  using Role = PlannedThread::Role;

  ThreadPlaces(Plan plan, StatsFile& stats, LogSink log)
      : plan_(std::move(plan)), stats_(stats), log_(std::move(log)) {}

  // Calls `start`, which starts the thread that the plan calls (role, index).
  void start(Role role, std::uint32_t index, const std::function<void()>& start);

  const Plan& plan() const noexcept { return plan_; }
  // Where the plan pins it; else 0, because it may be anywhere.
  std::uint32_t cache_of_shard(std::uint32_t index) const noexcept;
  // Of the thread that is being started: nullptr where there is none.
  StatsRow* row() const noexcept { return row_; }

  static constexpr std::size_t rows_max = 2 * 64 + 1;  // shards, their I/O threads, the door

 private:
  void note(const PlannedThread& thread, const place::PinOutcome& outcome, bool pins);

  const Plan plan_;
  StatsFile& stats_;
  const LogSink log_;
  StatsRow* row_ = nullptr;
};

}  // namespace abuzz::node
