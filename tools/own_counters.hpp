#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/ledger.hpp"

// Some numbers stand only in the counter file of the agent that counts them. Pure functions, so
// that they are tested without a node.

namespace abuzz::tools {

// The files of agents, beside the node's rows. Points into `counters`.
class AgentFiles {
 public:
  explicit AgentFiles(const Counters& counters);

  // nullptr where it cannot be read, or the node does not know the agent.
  const StatsSnapshot* of(std::uint64_t agent_id) const;
  // What its agent says about a publication or a subscription of the node's file; nullptr where it
  // does not, and for other rows. It names its subscriptions by pattern only: one that stands there
  // twice is left out.
  const RowSnapshot* own_row(const RowSnapshot& row) const;

 private:
  std::map<std::string, const StatsSnapshot*> files_;            // by NAME-PID
  std::map<std::uint64_t, const StatsSnapshot*> file_of_agent_;  // by id
};

// A counter whose value is known.
struct KnownCounter {
  std::string key, label, unit;
  std::uint64_t value = 0;
};
// All of a row of the node's file, those that only its agent counts from `own` (nullptr: they are
// left out). The labels are those of the file, so that counters of a newer node are there too:
// their key is counter_ID.
std::vector<KnownCounter> known_counters(const StatsSnapshot& node, const RowSnapshot& row,
                                         const RowSnapshot* own);

}  // namespace abuzz::tools
