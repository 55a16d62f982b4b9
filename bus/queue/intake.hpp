#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include <concurrentqueue.h>

#include "bus/base/check.hpp"

namespace abuzz::queue {

// The bounded queue in front of a thread or a role: many producers, one consumer at a time.
//
// Threads: each Producer is used by one thread at a time; pop by one thread at a time; producer()
// by any. Ownership: the Intake outlives its Producers. T is movable.
// Invariants: first in, first out per Producer; no order across Producers. One Producer never holds
// more than its quota, so it cannot starve the others: without MAX_SUBQUEUE_SIZE the first producer
// keeps every pre-allocated block of moodycamel::ConcurrentQueue for ever.
// Cost: try_push and pop do not allocate after producer(); a few locked instructions.
// Owner of the implementation: this is the only file that names moodycamel.
template <class T, std::size_t Quota>
class Intake;  // completed below

}  // namespace abuzz::queue
