#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "bus/mem/buffer.hpp"
#include "bus/mem/pool.hpp"
#include "bus/wire/frame.hpp"
#include "bus/wire/layout.hpp"

namespace abuzz::wire {

// The 32 bytes of one message in a batch body (struct Message of schema/batch.fbs).
struct MessageEntry {
  std::uint32_t offset = 0;
  std::uint32_t bytes = 0;
  std::uint32_t delta_us = 0;
  std::uint16_t flags = 0;
  std::uint16_t extra = 0;
  std::uint64_t key = 0;
  std::uint64_t correlation = 0;
};
static_assert(sizeof(MessageEntry) == 32);

// Builds one batch in place, in wire form, in a pooled buffer, while its consumer may take a prefix
// of it at any time:
//
//   [ headroom | entries, growing up to `slots` ][ blob, growing up ...            ]
//     ^ at seal the entries taken are moved up against the blob, and vectors, table,
//       topic and envelope are written in front of them: nothing behind the taken
//       part of the blob is touched, so the producer may be writing there.
//
// Threads: append/claim/entry by the producer; seal by the consumer, once, with a count that the
// producer has committed (queue::Tally). Ownership: the buffer is shared by both.
// Cost: one copy of the payload; at seal 32 B a message and the checksums.
class BatchBuilder {
 public:
  BatchBuilder() noexcept = default;
  // Requires: an aligned (16) buffer of at least bytes_needed(slots, topic, blob bytes).
  BatchBuilder(std::span<std::byte> memory, std::uint32_t slots, std::size_t topic_bytes) noexcept;

  // Bytes of a buffer that holds `slots` messages with `blob_bytes` of 8-aligned payloads.
  static std::size_t bytes_needed(std::uint32_t slots, std::size_t topic_bytes,
                                  std::size_t blob_bytes) noexcept;

  std::uint32_t count() const noexcept { return count_; }
  std::uint32_t slots() const noexcept { return slots_; }
  // Bytes of the blob used so far, and how many a next payload may have (0 when no slot is left).
  std::size_t blob_bytes() const noexcept { return blob_used_; }
  std::size_t room() const noexcept;

  // Space for one payload, 8-aligned; empty when there is no room. Committed by commit_entry with
  // at most as many bytes; until then claim may be called again and gives the same place.
  std::span<std::byte> claim(std::size_t payload_bytes) noexcept;
  void commit_entry(std::size_t payload_bytes, std::uint64_t key, std::uint64_t correlation,
                    std::uint32_t delta_us) noexcept;

  struct Sealed {
    std::size_t offset = 0;  // of the envelope in the memory; multiple of 16; >= in_place_headroom
    std::size_t bytes = 0;   // envelope, topic, body
  };
  // Seals the first `count` entries. `envelope` brings identity, lane, first_seq, times, chunk
  // fields and flags; sizes, hashes and checks are filled in. Requires: 1 <= count <= committed.
  Sealed seal(std::uint32_t count, Envelope envelope, std::string_view topic) noexcept;

 private:
  std::span<std::byte> memory_;
  std::size_t entries_offset_ = 0;
  std::size_t blob_offset_ = 0;
  std::size_t blob_used_ = 0;
  std::uint32_t slots_ = 0;
  std::uint32_t count_ = 0;
};

// The checked envelope of a sealed batch: ranges, sizes, topic characters, topic hash, envelope
// check. The body is not looked at. This is all that a switch reads. Valid as long as the bytes.
struct BatchHead {
  Envelope envelope;
  std::string_view topic;
  std::size_t batch_bytes = 0;

  // `slice` must be the whole sealed batch.
  static Reject parse(std::span<const std::byte> slice, BatchHead& head) noexcept;
};

struct VerifyLimits {
  std::size_t raw_bytes_max = 4u << 20;
  std::size_t ratio_max = 200;
};

// A batch whose body was verified: checksum, bounded decompression, FlatBuffers verifier, entry
// bounds. Only verify() makes one. Keeps its bytes alive through `buffer`.
class BatchView {
 public:
  BatchView() noexcept = default;
  std::uint32_t count() const noexcept { return count_; }
  const Envelope& envelope() const noexcept { return envelope_; }
  std::string_view topic() const noexcept { return topic_; }
  // Requires: index < count(). For a chunk there is one entry (the part of the payload).
  MessageEntry entry(std::uint32_t index) const noexcept;
  std::span<const std::byte> payload(std::uint32_t index) const noexcept;
  const mem::Buffer& buffer() const noexcept { return buffer_; }

 private:
  friend Reject verify(mem::Buffer&& slice, mem::Pool& pool, const VerifyLimits& limits,
                       BatchView& view) noexcept;
  mem::Buffer buffer_;
  Envelope envelope_;
  std::string_view topic_;
  const std::byte* entries_ = nullptr;
  const std::byte* blob_ = nullptr;
  std::uint32_t count_ = 0;
};

// Verifies the sealed batch in `slice`. Bytes that are misaligned (16) or compressed are brought
// into a buffer of `pool`; others are used where they stand. `count()` is 1 for a chunk.
// On anything but none the slice is released and the view is empty.
Reject verify(mem::Buffer&& slice, mem::Pool& pool, const VerifyLimits& limits,
              BatchView& view) noexcept;

}  // namespace abuzz::wire
