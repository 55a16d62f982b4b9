#include "bench/payload.hpp"

#include <cstring>

// Inlined: a call into the library costs as much as the hash of a small payload.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace abuzz::bench {
namespace {

constexpr std::size_t sequence_offset = 8;
constexpr std::size_t intended_offset = 16;
constexpr std::size_t stamp_distance = 512;
constexpr std::uint64_t last_flag = 1ull << 63;
constexpr unsigned source_shift = 48;
constexpr std::uint64_t sequence_mask = (1ull << source_shift) - 1;

}  // namespace

PayloadWriter::PayloadWriter(std::size_t bytes, unsigned source)
    : source_bits_(std::uint64_t{source} << source_shift), buffer_(bytes) {
  std::uint64_t state = 0x9e3779b97f4a7c15ull;
  for (std::byte& value : buffer_) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    value = static_cast<std::byte>(state >> 32);
  }
}

std::span<const std::byte> PayloadWriter::fill(std::uint64_t sequence, bool is_last,
                                               std::int64_t intended_ns) noexcept {
  const std::uint64_t word = sequence | source_bits_ | (is_last ? last_flag : 0);
  std::byte* data = buffer_.data();
  if (buffer_.size() >= timed_payload_bytes_min)
    std::memcpy(data + intended_offset, &intended_ns, sizeof intended_ns);
  std::memcpy(data + sequence_offset, &word, sizeof word);
  for (std::size_t at = stamp_distance; at + sizeof word <= buffer_.size(); at += stamp_distance) {
    std::memcpy(data + at, &word, sizeof word);
  }
  const std::uint64_t hash = XXH3_64bits(data + sequence_offset, buffer_.size() - sequence_offset);
  std::memcpy(data, &hash, sizeof hash);
  return buffer_;
}

PayloadFacts check_payload(std::span<const std::byte> payload,
                           std::size_t bytes_expected) noexcept {
  PayloadFacts facts;
  if (payload.size() != bytes_expected || payload.size() < payload_bytes_min) return facts;
  std::uint64_t hash = 0;
  std::uint64_t word = 0;
  std::memcpy(&hash, payload.data(), sizeof hash);
  std::memcpy(&word, payload.data() + sequence_offset, sizeof word);
  facts.is_intact =
      hash == XXH3_64bits(payload.data() + sequence_offset, payload.size() - sequence_offset);
  facts.is_last = (word & last_flag) != 0;
  facts.source = static_cast<unsigned>((word & ~last_flag) >> source_shift);
  facts.sequence = word & sequence_mask;
  if (payload.size() >= timed_payload_bytes_min)
    std::memcpy(&facts.intended_ns, payload.data() + intended_offset, sizeof facts.intended_ns);
  return facts;
}

}  // namespace abuzz::bench
