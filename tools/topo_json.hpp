#pragma once

#include "bus/placement.hpp"
#include "tools/json_writer.hpp"

// Topologies, measures and plans for programs: each writes one object.

namespace abuzz::tools {

void write_topology(JsonWriter& json, const Topology& topology);

}  // namespace abuzz::tools
