#pragma once

#include <cstddef>
#include <cstdint>

namespace abuzz::base {

// xoshiro256** by Blackman and Vigna (2018), seeded through SplitMix64. Repeats exactly for a seed;
// not for secrets. One thread.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept;
  std::uint64_t next() noexcept;
  // Uniform in [0, bound). Requires: bound > 0.
  std::uint64_t below(std::uint64_t bound) noexcept;

 private:
  std::uint64_t state_[4];
};

// Fills from the kernel's random source (getrandom). For ids, tokens and secrets.
void fill_secret(void* bytes, std::size_t count) noexcept;

}  // namespace abuzz::base
