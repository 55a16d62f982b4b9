#pragma once

#include <cstddef>

namespace abuzz::node {

// libzmq ends the process when accept() on an ipc socket finds no descriptor left; the program
// `abuzz` prevents that (tools/accept_guard.cpp), one that embeds a node does not. So a node raises
// its limit at the start, and lets nobody in when few are left.

// The node itself keeps open about half of this; less is refused at the start.
inline constexpr std::size_t descriptors_for_start = 40;
// Of each shard beyond the first.
inline constexpr std::size_t descriptors_per_shard = 12;
// Kept back at the door, for what others in this process, and strangers on its sockets, may open.
inline constexpr std::size_t descriptors_kept_back = 32;
// A session holds its door socket, its link and its counter file.
inline constexpr std::size_t descriptors_per_session = 3;

// Raises the soft limit of this process to its hard one.
void raise_descriptor_limit() noexcept;
// How many more this process may open. Cost: proportional to the descriptors that are open.
std::size_t count_descriptors_left() noexcept;

}  // namespace abuzz::node
