#pragma once

#include "bus/placement.hpp"
#include "tools/json_writer.hpp"

// Topologies, measures and plans for programs: each writes one object.

namespace abuzz::tools {

void write_topology(JsonWriter& json, const Topology& topology);
void write_measures(JsonWriter& json, const Measures& measures);
void write_plan(JsonWriter& json, const Plan& plan);

}  // namespace abuzz::tools
