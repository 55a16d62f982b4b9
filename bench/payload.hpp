#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

// What every message of every system carries, so that its receiver can prove it:
//
//   offset 0   XXH3-64 of all bytes that follow
//   offset 8   sequence, from 1, in 48 bits; 15 bits say which source sent it; bit 63 marks the
//              last message of that source
//   offset 16  when it was to be sent, in ns of the monotonic clock: only in 24 bytes and more
//   then       filler that does not compress, stamped with the sequence every 512 bytes, so that
//              a buffer mixed from two messages does not pass
//
// Nothing of bus/ stands here: the peers fill and check the same way.

namespace abuzz::bench {

inline constexpr std::size_t payload_bytes_min = 16;
// Of one whose receiver is to know when it should have been sent.
inline constexpr std::size_t timed_payload_bytes_min = 24;
inline constexpr unsigned sources_max = 1u << 15;

// Builds the payloads of one source in one buffer. One thread.
class PayloadWriter {
 public:
  // Requires: bytes >= payload_bytes_min, source < sources_max.
  explicit PayloadWriter(std::size_t bytes, unsigned source = 0);

  // Valid until the next call. `intended_ns` is kept where there is room for it.
  std::span<const std::byte> fill(std::uint64_t sequence, bool is_last,
                                  std::int64_t intended_ns = 0) noexcept;

 private:
  const std::uint64_t source_bits_;
  std::vector<std::byte> buffer_;
};

struct PayloadFacts {
  bool is_intact = false;  // length and checksum are right; the rest is meaningful only then
  bool is_last = false;
  unsigned source = 0;
  std::uint64_t sequence = 0;
  std::int64_t intended_ns = 0;
};

PayloadFacts check_payload(std::span<const std::byte> payload, std::size_t bytes_expected) noexcept;

}  // namespace abuzz::bench
