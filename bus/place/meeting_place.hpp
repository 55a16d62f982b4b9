#pragma once

#include <cstdint>
#include <optional>

#include "bus/config.hpp"
#include "bus/placement.hpp"

namespace abuzz::place {

// Whether two threads that wait for each other gain by being on one processor here: a wake-up there
// and back takes over 10 us across cores, and less than half of that on one.
bool pays_to_meet(const Measures& measures) noexcept;

// Where a node's only shard and agents that wait for each other meet, if place.pin leaves that to
// the bus and it pays on this machine: the processor of the plan's first shard. Measures
// wake-ups (30 ms), if the machine was not measured since it started, so ask when there is need.
std::optional<std::uint32_t> find_meeting_place(const Config& config);

}  // namespace abuzz::place
