#pragma once

#include <cstddef>

namespace abuzz::base {

// Fields of different writers stand two lines apart, because processors prefetch lines in pairs.
// Not std::hardware_destructive_interference_size: its value varies with compiler flags.
inline constexpr std::size_t cache_line_bytes = 64;
inline constexpr std::size_t writer_distance_bytes = 2 * cache_line_bytes;

}  // namespace abuzz::base
