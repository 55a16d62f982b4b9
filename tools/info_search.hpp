#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/node_view.hpp"

// Of info.cpp: what is meant by a name. A pure function of the snapshot.

namespace abuzz::tools {

// One thing that has counters: a row of the node's file, under the name that people know it by.
struct Entry {
  std::string kind;  // "node", "agent", "publication", "subscription", "pair", "retained"
  std::string title;
  const RowSnapshot* row = nullptr;
};

// Everything that is meant by `name`: the node; an agent with what it publishes and subscribes; a
// topic with its publishers; a pattern; or a topic that is only subscribed to.
std::vector<Entry> find_entries(const StatsSnapshot& stats, const NodeView& view,
                                const std::string& name);
// The known name that is nearest to one that is not; empty if none is near.
std::string_view nearest_entry(const NodeView& view, const std::string& name);

}  // namespace abuzz::tools
