#pragma once

#include <string>
#include <vector>

#include "tools/node_process.hpp"
#include "tools/path.hpp"

// The other buses of this user on this host: a message never goes from one to another.

namespace abuzz::tools {

// Their runtime directories: where a node lives, other than `place`. Found in the places where they
// usually are, which come first, and by the locks that processes of this user hold.
std::vector<std::string> find_other_directories(const NodePlace& place);

// Who publishes the topic there, or subscribes it.
std::vector<Elsewhere> look_elsewhere(const NodePlace& place, const std::string& topic);

}  // namespace abuzz::tools
