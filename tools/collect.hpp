#pragma once

#include "bus/error.hpp"
#include "tools/ledger.hpp"
#include "tools/node_process.hpp"

namespace abuzz::tools {

// Reads the counter files of the node that lives in this place and of its agents; Error::no_node
// without one. Files that come and go meanwhile are left out.
Result<Counters> collect_counters(const NodePlace& place);

}  // namespace abuzz::tools
