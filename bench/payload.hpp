#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

// What every message of every system carries, so that its receiver can prove it:
//
//   offset 0   XXH3-64 of all bytes that follow
//   offset 8   sequence, from 1; bit 63 marks the last message of a run
//   offset 16  filler that does not compress, stamped with the sequence every 512 bytes, so that
//              a buffer mixed from two messages does not pass
//
// Nothing of bus/ stands here: the raw controls fill and check the same way.

namespace abuzz::bench {

inline constexpr std::size_t payload_bytes_min = 16;

// Builds payloads in one buffer. One thread.
class PayloadWriter {
 public:
  // Requires: bytes >= payload_bytes_min.
  explicit PayloadWriter(std::size_t bytes);

  // Valid until the next call.
  std::span<const std::byte> fill(std::uint64_t sequence, bool is_last) noexcept;

 private:
  std::vector<std::byte> buffer_;
};

struct PayloadFacts {
  bool is_intact = false;  // length and checksum are right; the rest is meaningful only then
  bool is_last = false;
  std::uint64_t sequence = 0;
};

PayloadFacts check_payload(std::span<const std::byte> payload, std::size_t bytes_expected) noexcept;

}  // namespace abuzz::bench
