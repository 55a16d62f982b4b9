#pragma once

#include <cstddef>
#include <cstdint>

namespace abuzz::wire {

// XXH3-64, the only check sum and topic hash on the wire. The seed is 0 unless wire.md says so.
std::uint64_t hash64(const void* bytes, std::size_t count, std::uint64_t seed = 0) noexcept;

}  // namespace abuzz::wire
