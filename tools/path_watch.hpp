#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tools/path.hpp"

// Of path.cpp: who moves, who stands, and who holds whom, seen in two readings of the counter files
// and in the processes.

namespace abuzz::tools {

using PairKey = std::pair<std::uint64_t, std::uint64_t>;  // rows of publication and subscription

// One reading, by row and by pair.
struct Reading {
  explicit Reading(const Counters& counters) : ledger(make_ledger(counters)) {
    for (const RowSnapshot& row : counters.node.rows) rows[row.index] = &row;
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
  std::map<std::uint64_t, const RowSnapshot*> rows;
  std::map<std::uint64_t, const StreamLedger*> streams;
  std::map<std::uint64_t, const InboxLedger*> inboxes;
  std::map<PairKey, const PairLedger*> pairs;
  std::map<std::uint64_t, std::uint64_t> waiting;  // queued or in flight, by subscription
};

// Where the messages of a path come from: a publisher, or all that have left but of which some is
// still on its way, or nobody.
using Source = std::vector<const RowSnapshot*>;

// What became of the messages from a source to a subscription.
struct Flow {
  std::uint64_t matched = 0, delivered = 0, queued = 0, in_flight = 0;
  Reasons lost;      // since it began; from nobody: what the subscription lost of any publisher
  Reasons lost_now;  // of that, between the two readings
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
  std::chrono::nanoseconds now() const noexcept { return now_; }
  // The agent of a publication's or subscription's row.
  PathEnd end_of(const RowSnapshot& row) const;
  // What keeps the agent of a row from doing anything; `name`: what to call it.
  Finding look_at_agent(const RowSnapshot& row, const std::string& name, Cause stopped) const;
  bool is_node_stopped() const { return look_(node_.pid, node_.start_ticks).is_stopped; }
  Flow flow_of(const Source& source, const RowSnapshot& subscription) const;
  // Messages wait in both readings, and what was settled between them is less than what waits.
  bool is_slow(const RowSnapshot& subscription) const;
  // The lossless subscription that a publisher waits for; nullptr: it does not wait, or only for as
  // long as messages take that go on.
  const RowSnapshot* holder_of(const RowSnapshot& publication) const;

 private:
  bool is_held(const RowSnapshot& publication) const;
  void add_stream_losses(const RowSnapshot& publication, Flow& flow) const;
  void add_pair(PairKey key, Flow& flow) const;

  const StatsSnapshot& node_;
  const Reading earlier_, later_;
  const std::chrono::nanoseconds now_;
  const LookAtProcess& look_;
  std::map<std::uint64_t, const RowSnapshot*> agents_;  // by id
  std::map<std::string, std::uint64_t> started_;        // by counter file
};

}  // namespace abuzz::tools
