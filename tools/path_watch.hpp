#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "tools/path.hpp"

// Of path.cpp: who moves, who stands, and who holds whom, seen in two readings of the counter files
// and in the processes.

namespace abuzz::tools {

using PairKey = std::pair<std::uint64_t, std::uint64_t>;  // rows of publication and subscription

// One reading, by row and by pair.
struct Reading {
  explicit Reading(const Counters& counters) : ledger(make_ledger(counters)) {
    for (const StreamLedger& stream : ledger.streams) streams[stream.id] = &stream;
    for (const InboxLedger& inbox : ledger.inboxes) inboxes[inbox.id] = &inbox;
    for (const PairLedger& pair : ledger.pairs) {
      pairs[{pair.publication, pair.subscription}] = &pair;
      waiting[pair.subscription] += pair.queued + pair.in_flight;
    }
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  std::uint64_t waiting_for(const RowSnapshot& subscription) const {
    const auto found = waiting.find(subscription.index);
    return found == waiting.end() ? 0 : found->second;
  }

  Ledger ledger;
  std::map<std::uint64_t, const StreamLedger*> streams;
  std::map<std::uint64_t, const InboxLedger*> inboxes;
  std::map<PairKey, const PairLedger*> pairs;
  std::map<std::uint64_t, std::uint64_t> waiting;  // queued or in flight, by subscription
};

// What is broken; `none`: nothing.
struct Finding {
  Cause cause = Cause::none;
  std::string text, advice;
  std::string detail = {};
};

class PathWatch {
 public:
  // All of it outlives the watch.
  PathWatch(const Counters& earlier, const Counters& later, const LookAtProcess& look);

  const Reading& later() const noexcept { return later_; }
  const std::map<std::uint64_t, const RowSnapshot*>& agents() const noexcept { return agents_; }
  // The agent of a publication's or subscription's row.
  PathEnd end_of(const RowSnapshot& row) const;
  // What keeps the agent of a row from doing anything; `name`: what to call it.
  Finding look_at_agent(const RowSnapshot& row, const std::string& name, Cause stopped) const;
  bool is_node_stopped() const { return look_(node_.pid, node_.start_ticks).is_stopped; }
  // Messages wait in both readings, and what was settled between them is less than what waits.
  bool is_slow(const RowSnapshot& subscription) const;
  // Messages wait with the publisher in both readings.
  bool is_held(const RowSnapshot& publication) const;
  // The lossless subscription that holds it: the one that is furthest behind.
  const RowSnapshot* find_holder(const RowSnapshot& publication) const;

 private:
  const StatsSnapshot& node_;
  const Reading earlier_, later_;
  const LookAtProcess& look_;
  std::map<std::uint64_t, const RowSnapshot*> agents_;  // by id
  std::map<std::string, std::uint64_t> started_;        // by counter file
};

}  // namespace abuzz::tools
