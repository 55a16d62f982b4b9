#pragma once

#include <cstddef>

// libzmq 4.3.4 aborts the process when an ipc listener's accept, or one of its own threads, finds
// no descriptor. So a node raises its limit at start, the door turns callers away before the end
// (UnixDoorOptions::descriptors_spare), and nothing of libzmq is opened without looking first.
// What is left is a process of the same user that opens the endpoint itself, past the door, as
// often as the limit allows.

namespace abuzz::link {

// Raises the soft limit of the process to `wanted`, or to the hard limit if that is lower. Returns
// what is in force.
std::size_t raise_descriptor_limit(std::size_t wanted) noexcept;

// Whether the process could open `count` (at most 256) more descriptors now. Opens and closes them,
// so for start-up and admission only.
bool has_free_descriptors(std::size_t count) noexcept;

}  // namespace abuzz::link
