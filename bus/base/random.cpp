#include "bus/base/random.hpp"

#include <sys/random.h>

#include <bit>
#include <cerrno>

#include "bus/base/check.hpp"

namespace abuzz::base {

Random::Random(std::uint64_t seed) noexcept {
  // SplitMix64: fills the state so that near seeds give far sequences, and never with all zeros.
  for (std::uint64_t& word : state_) {
    seed += 0x9e37'79b9'7f4a'7c15;
    std::uint64_t mixed = seed;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58'476d'1ce4'e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d0'49bb'1331'11eb;
    word = mixed ^ (mixed >> 31);
  }
}

std::uint64_t Random::next() noexcept {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Random::below(std::uint64_t bound) noexcept {
  ABUZZ_CHECK(bound > 0);
  // The lowest 2^64 mod bound values are refused, so that every remainder is equally likely.
  const std::uint64_t refused = (std::uint64_t{0} - bound) % bound;
  std::uint64_t value = next();
  while (value < refused) value = next();
  return value % bound;
}

void fill_secret(void* bytes, std::size_t count) noexcept {
  auto* position = static_cast<unsigned char*>(bytes);
  while (count > 0) {
    const ssize_t filled = getrandom(position, count, 0);
    // Any other failure means a kernel without getrandom: a secret must not be guessable, so stop.
    ABUZZ_CHECK(filled > 0 || (filled < 0 && errno == EINTR));
    if (filled < 0) continue;
    position += filled;
    count -= static_cast<std::size_t>(filled);
  }
}

}  // namespace abuzz::base
