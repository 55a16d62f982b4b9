#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <string_view>

#include "bus/base/units.hpp"
#include "bus/mem/buffer.hpp"
#include "bus/mem/pool.hpp"
#include "bus/message.hpp"
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
// The high byte of the flags is the MessageKind.
inline constexpr unsigned message_kind_shift = 8;

// Builds one batch in place, in wire form, in a pooled buffer, while its consumer may take a prefix
// of it at any time:
//
//   while open   [ entry slots-1 | ... | entry 1 | entry 0 | head space ][ blob, growing up ... ]
//   sealed       [            ... headroom | envelope, topic, head | entry 0 ... ][ blob ]
//
// Entries grow down, away from the blob, in front of space for everything that stands before the
// entries of a sealed batch. Seal turns the order of the entries taken around and moves them up
// against the blob. So wherever it writes, the next entry stands below and the next payload above:
// the producer may be writing both.
//
// Threads: append/claim/entry by the producer; seal by the consumer, once, with a count that the
// producer has committed (queue::Tally). Ownership: the buffer is shared by both.
// Invariants: seal reads nothing that the producer still writes: constants and entries taken.
// Cost: one copy of the payload; at seal 32 B a message and the checksums.
class BatchBuilder {
 public:
  BatchBuilder() noexcept = default;
  // Requires: an aligned (16) buffer of at least bytes_needed(slots, topic, blob bytes).
  BatchBuilder(std::span<std::byte> memory, std::uint32_t slots, std::size_t topic_bytes) noexcept;

  // Bytes of a buffer that holds `slots` messages with `blob_bytes` of 8-aligned payloads.
  static std::size_t bytes_needed(std::uint32_t slots, std::size_t topic_bytes,
                                  std::size_t blob_bytes) noexcept;
  // Bytes of the body that a seal of `messages` with `blob_bytes` of payloads gives.
  static constexpr std::size_t body_bytes(std::uint32_t messages, std::size_t blob_bytes) noexcept {
    return body_head_bytes + messages * sizeof(MessageEntry) + blob_gap_bytes + blob_bytes;
  }

  std::uint32_t count() const noexcept { return count_; }
  std::uint32_t slots() const noexcept { return slots_; }
  // Bytes of the blob used so far, and how many a next payload may have (0 when no slot is left).
  std::size_t blob_bytes() const noexcept { return blob_used_; }
  std::size_t room() const noexcept { return count_ < slots_ ? blob_capacity_ - blob_used_ : 0; }

  // Space for one payload, 8-aligned; its data() is nullptr when there is no room. Committed by
  // commit_entry with at most as many bytes; until then claim may be called again and gives the
  // same place.
  std::span<std::byte> claim(std::size_t payload_bytes) noexcept {
    // HOT: producer
    if (count_ == slots_ || payload_bytes > blob_capacity_ - blob_used_) return {};
    return {blob_ + blob_used_, payload_bytes};
  }
  void commit_entry(std::size_t payload_bytes, std::uint64_t key, std::uint64_t correlation,
                    std::uint32_t delta_us, MessageKind kind = MessageKind::message) noexcept {
    // HOT: producer
    // Made in its place: stores of the fields that a copy would load as words stall it (10 ns).
    ::new (static_cast<void*>(entry_zero_ - count_ * sizeof(MessageEntry))) MessageEntry{
        .offset = static_cast<std::uint32_t>(blob_used_),
        .bytes = static_cast<std::uint32_t>(payload_bytes),
        .delta_us = delta_us,
        .flags = static_cast<std::uint16_t>(static_cast<unsigned>(kind) << message_kind_shift),
        .key = key,
        .correlation = correlation};
    const std::size_t tail = payload_bytes % payload_alignment;
    // The gap up to the next payload is sent: it must not tell what the buffer held before.
    if (tail != 0) std::memset(blob_ + blob_used_ + payload_bytes, 0, payload_alignment - tail);
    blob_used_ += base::align_up(payload_bytes, payload_alignment);
    ++count_;
  }

  // Blob bytes of the first `count` committed entries; for the consumer, before it takes them.
  // Requires: the producer committed them, and nothing was sealed.
  std::size_t committed_bytes(std::uint32_t count) const noexcept {
    if (count == 0) return 0;
    MessageEntry last;
    std::memcpy(&last, entry_zero_ - (count - 1) * sizeof(MessageEntry), sizeof(last));
    return last.offset + last.bytes;
  }

  struct Sealed {
    std::size_t offset = 0;  // of the envelope in the memory; multiple of 16; >= in_place_headroom
    std::size_t bytes = 0;   // envelope, topic, body
  };
  // Seals the first `count` entries. `envelope` brings identity, lane, first_seq, times, chunk
  // fields and flags; sizes, hashes and checks are filled in. Requires: 1 <= count <= committed
  // (1 for a chunk), and a topic no longer than was told to the constructor.
  Sealed seal(std::uint32_t count, Envelope envelope, std::string_view topic) noexcept;

  static constexpr std::size_t payload_alignment = 8;

 private:
  // The body before its entries: offset of the root, file identifier, vtable, table, entry count.
  static constexpr std::size_t body_head_bytes = 40;
  // Between entries and blob: padding, and the length of the blob.
  static constexpr std::size_t blob_gap_bytes = 8;

  // Constant after construction.
  std::byte* memory_ = nullptr;
  std::byte* entry_zero_ = nullptr;  // entry i stands i entries below
  std::byte* blob_ = nullptr;
  std::size_t head_space_ = 0;     // between entry 0 and the blob gap; a multiple of 32
  std::size_t blob_capacity_ = 0;  // a multiple of 8
  std::uint32_t slots_ = 0;
  // Producer only.
  std::uint32_t count_ = 0;
  std::size_t blob_used_ = 0;  // a multiple of 8
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
  MessageEntry entry(std::uint32_t index) const noexcept {
    MessageEntry found;
    std::memcpy(&found, entries_ + index * sizeof(MessageEntry), sizeof(MessageEntry));
    return found;
  }
  std::span<const std::byte> payload(std::uint32_t index) const noexcept {
    return payload(entry(index));
  }
  std::span<const std::byte> payload(const MessageEntry& of) const noexcept {
    return {blob_ + of.offset, of.bytes};
  }
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

// Verifies the sealed batch in `slice`. Bytes that are misaligned (8) or compressed are brought
// into a buffer of `pool`; others are used where they stand. `count()` is 1 for a chunk.
// On anything but none the slice is released and the view is empty.
Reject verify(mem::Buffer&& slice, mem::Pool& pool, const VerifyLimits& limits,
              BatchView& view) noexcept;

}  // namespace abuzz::wire
