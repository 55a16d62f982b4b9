#pragma once

#include "bus/error.hpp"
#include "tools/node_process.hpp"
#include "tools/path.hpp"

namespace abuzz::tools {

// Looks twice at the counters and the processes of a bus, and explains the path. Where an end of it
// is missing it looks at the other buses of this user, too. Takes a third of a second.
Result<Answer> look_at_path(const NodePlace& place, const Question& question);

}  // namespace abuzz::tools
