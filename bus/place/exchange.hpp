#pragma once

#include <cstdint>

#include "bus/base/units.hpp"
#include "bus/place/affinity.hpp"

namespace abuzz::place {

// What passes between two processors costs. Medians of round trips in nanoseconds; 0: not measured.
struct ExchangeCost {
  double line_ns = 0;  // a cache line there and back, both spinning; not on one processor
  double wake_ns = 0;  // a wake-up there and one back, by futex
};

// Two threads of its own, one pinned to each processor (both to one, if they are equal), exchange
// numbers until `budget` is over or enough is known. What cannot be pinned is not measured.
//
// Threads: the caller waits; its own mask is not touched. Cost: at most the budget, and the time
// that the kernel takes to let the two run.
ExchangeCost measure_exchange(std::uint32_t left, std::uint32_t right, base::Nanos budget);
// The same of wake-ups only, of threads that may run on any of these processors.
double measure_wakes_ns(const Processors& left, const Processors& right, base::Nanos budget);

}  // namespace abuzz::place
