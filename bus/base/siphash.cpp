#include "bus/base/siphash.hpp"

#include <bit>
#include <cstring>

namespace abuzz::base {

namespace {

static_assert(std::endian::native == std::endian::little, "words are read in native order");

std::uint64_t read_word(const std::byte* bytes) noexcept {
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

struct State {
  std::uint64_t v0, v1, v2, v3;

  void round() noexcept {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void absorb(std::uint64_t word) noexcept {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
  std::uint64_t finish() noexcept {
    for (int count = 0; count < 4; ++count) round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

Mac128 siphash128(const Key128& key, std::span<const std::byte> message) noexcept {
  const std::uint64_t k0 = read_word(key.data());
  const std::uint64_t k1 = read_word(key.data() + 8);
  // The ASCII words of "somepseudorandomlygeneratedbytes"; 0xee marks the 128-bit variant.
  State state{k0 ^ 0x736f'6d65'7073'6575, k1 ^ 0x646f'7261'6e64'6f6d ^ 0xee,
              k0 ^ 0x6c79'6765'6e65'7261, k1 ^ 0x7465'6462'7974'6573};

  const std::size_t whole_bytes = message.size() & ~std::size_t{7};
  for (std::size_t at = 0; at < whole_bytes; at += 8) state.absorb(read_word(message.data() + at));

  // The last word holds what is left over, and the length modulo 256 in its top byte.
  std::uint64_t last = static_cast<std::uint64_t>(message.size()) << 56;
  for (std::size_t at = whole_bytes; at < message.size(); ++at) {
    last |= std::to_integer<std::uint64_t>(message[at]) << (8 * (at - whole_bytes));
  }
  state.absorb(last);

  state.v2 ^= 0xee;
  const std::uint64_t low = state.finish();
  state.v1 ^= 0xdd;
  const std::uint64_t high = state.finish();

  Mac128 mac;
  std::memcpy(mac.data(), &low, sizeof low);
  std::memcpy(mac.data() + sizeof low, &high, sizeof high);
  return mac;
}

bool equal_constant_time(const Mac128& left, const Mac128& right) noexcept {
  std::byte difference{0};
  for (std::size_t index = 0; index < left.size(); ++index) {
    difference |= left[index] ^ right[index];
  }
  return difference == std::byte{0};
}

}  // namespace abuzz::base
