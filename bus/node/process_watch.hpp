#pragma once

#include <cstdint>

namespace abuzz::node {

// When a process started, in clock ticks since boot: with its pid that names it for good. 0 when
// there is no such process, or when it has ended and only waits for its parent.
std::uint64_t read_start_ticks(std::uint32_t pid) noexcept;

inline bool is_process_alive(std::uint32_t pid, std::uint64_t start_ticks) noexcept {
  return start_ticks != 0 && read_start_ticks(pid) == start_ticks;
}

}  // namespace abuzz::node
