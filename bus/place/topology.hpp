#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bus/placement.hpp"

// The only place that knows hwloc: what it says is turned into a Topology at once. hwloc is opened
// for the time of a call and closed again, because it brings libraries, and memory, that an agent
// and a node at work have no use for.

namespace abuzz::place {

// A machine of which nothing is known but the numbers of its processors: each is a core.
Topology flat_topology(const std::vector<std::uint32_t>& processors);

// This machine without hwloc: the processors of the calling thread, each as if it were a core
// of its own, and the quota.
Topology read_processors();

// What hwloc says of this machine within `allowed`, the mask of the calling thread. A processor of
// the mask that hwloc does not list becomes a core of its own; one that hwloc lists outside the
// mask (HWLOC_XMLFILE and HWLOC_SYNTHETIC may make it list anything) is left out.
Topology read_topology_within(const std::vector<std::uint32_t>& allowed);

}  // namespace abuzz::place
