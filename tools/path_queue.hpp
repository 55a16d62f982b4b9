#pragma once

#include <string>

#include "tools/path_watch.hpp"

// Of path.cpp: what a subscription's queue loses, and whether it is emptied.

namespace abuzz::tools {

struct QueueOf {
  const RowSnapshot& subscription;
  std::string held;               // a publisher that waits for it; empty: none does
  bool has_dead_letters = false;  // the node keeps some, of whichever group
};

// Losing now, or full and not emptied. What was lost before is no fault any more: who asks whether
// a message arrives now would be told for ever of one that did not.
Finding look_at_queue(const PathWatch& watch, const QueueOf& queue, const Flow& flow);
// Of a path that is whole: "dropped some time ago: 98 of 5,000, queue full"; or empty.
std::string describe_lost_before(const Flow& flow);

}  // namespace abuzz::tools
