#include <cstring>

#include "bus/base/check.hpp"
#include "bus/base/units.hpp"
#include "bus/wire/batch.hpp"
#include "bus/wire/envelope.hpp"
#include "bus/wire/hash.hpp"

namespace abuzz::wire {

namespace {

// The first 40 bytes of every body that we build: a FlatBuffer with the table Batch of
// schema/batch.fbs, laid by hand because its vectors stand where they were built. Offsets are from
// the start of the body; entries begin at 40, which leaves them 8-aligned and the blob 16-aligned.
struct BodyHead {
  std::uint32_t root = 20;  // of the table, from here
  char file_identifier[4] = {'A', 'B', 'Z', '1'};
  std::uint16_t vtable_bytes = 10;
  std::uint16_t table_bytes = 16;
  std::uint16_t version_at = 12;  // fields, from the start of the table
  std::uint16_t messages_at = 4;
  std::uint16_t blob_at = 8;
  std::uint16_t padding0 = 0;
  std::int32_t vtable_back = 12;  // from the table back to its vtable
  std::uint32_t messages = 12;    // from here to messages_count
  std::uint32_t blob = 0;         // from here to the length of the blob
  std::uint16_t version = 1;
  std::uint16_t padding1 = 0;
  std::uint32_t messages_count = 0;
};
static_assert(sizeof(BodyHead) == 40 && offsetof(BodyHead, vtable_bytes) == 8);
static_assert(offsetof(BodyHead, vtable_back) == 20 && offsetof(BodyHead, messages) == 24);
static_assert(offsetof(BodyHead, blob) == 28 && offsetof(BodyHead, version) == 32);
static_assert(offsetof(BodyHead, messages_count) == 36);

constexpr std::size_t entry_bytes = sizeof(MessageEntry);

// Space for all that stands before the entries of a sealed batch, in whole entries.
constexpr std::size_t head_space_of(std::size_t topic_bytes) noexcept {
  return base::align_up(in_place_headroom + body_offset_of(topic_bytes) + sizeof(BodyHead),
                        entry_bytes);
}

// Entry i stands i entries below `entry_zero`; puts the first `count` in ascending order, so that
// they end `head_space` behind the end of entry 0. Where the two regions overlap, place and
// counter-place swap their entries; the rest comes from below into the head space. Each entry is
// read and written once, and nothing below entry count - 1 is touched.
std::byte* place_entries(std::byte* entry_zero, std::size_t head_space,
                         std::size_t count) noexcept {
  const std::size_t shift = head_space / entry_bytes;
  std::byte* const first = entry_zero + entry_bytes + head_space - count * entry_bytes;
  const std::size_t overlap = count > shift ? count - shift : 0;
  for (std::size_t low = 0, high = overlap; low + 1 < high; ++low) {
    --high;
    MessageEntry front;
    MessageEntry back;
    std::memcpy(&front, first + low * entry_bytes, entry_bytes);
    std::memcpy(&back, first + high * entry_bytes, entry_bytes);
    std::memcpy(first + low * entry_bytes, &back, entry_bytes);
    std::memcpy(first + high * entry_bytes, &front, entry_bytes);
  }
  for (std::size_t index = overlap; index < count; ++index)
    std::memcpy(first + index * entry_bytes, entry_zero - index * entry_bytes, entry_bytes);
  return first;
}

bool has_keys(const std::byte* entries, std::size_t count) noexcept {
  std::uint64_t any = 0;
  for (std::size_t index = 0; index < count; ++index) {
    std::uint64_t key;
    std::memcpy(&key, entries + index * entry_bytes + offsetof(MessageEntry, key), sizeof(key));
    any |= key;
  }
  return any != 0;
}

}  // namespace

void write_envelope(std::byte* batch, Envelope envelope, std::string_view topic) noexcept {
  const std::size_t body_offset = body_offset_of(topic.size());
  envelope.magic = batch_magic;
  envelope.version = version_current;
  envelope.topic_bytes = static_cast<std::uint8_t>(topic.size());
  envelope.envelope_bytes = sizeof(Envelope);
  envelope.body_offset = static_cast<std::uint16_t>(body_offset);
  envelope.topic_hash = hash64(topic.data(), topic.size());
  envelope.reserved0 = 0;
  envelope.reserved1 = 0;
  envelope.body_check = hash64(batch + body_offset, envelope.stored_bytes);
  envelope.envelope_check = hash64(&envelope, offsetof(Envelope, envelope_check));
  std::memcpy(batch, &envelope, sizeof(Envelope));
  std::memcpy(batch + sizeof(Envelope), topic.data(), topic.size());
  std::memset(batch + sizeof(Envelope) + topic.size(), 0,
              body_offset - sizeof(Envelope) - topic.size());
}

BatchBuilder::BatchBuilder(std::span<std::byte> memory, std::uint32_t slots,
                           std::size_t topic_bytes) noexcept
    : memory_(memory.data()), head_space_(head_space_of(topic_bytes)), slots_(slots) {
  const std::size_t blob_offset = bytes_needed(slots, topic_bytes, 0);
  ABUZZ_CHECK(reinterpret_cast<std::uintptr_t>(memory_) % slice_alignment == 0);
  ABUZZ_CHECK(slots >= 1 && slots <= batch_messages_max && memory.size() >= blob_offset);
  blob_ = memory_ + blob_offset;
  blob_capacity_ = (memory.size() - blob_offset) & ~(payload_alignment - 1);
  entry_zero_ = blob_ - blob_gap_bytes - head_space_ - entry_bytes;
}

std::size_t BatchBuilder::bytes_needed(std::uint32_t slots, std::size_t topic_bytes,
                                       std::size_t blob_bytes) noexcept {
  // Entries and head space are multiples of 32: the blob comes to stand 16-aligned.
  static_assert(blob_gap_bytes < slice_alignment);
  return slots * entry_bytes + head_space_of(topic_bytes) + slice_alignment +
         base::align_up(blob_bytes, payload_alignment);
}

// HOT: sender, once a batch.
BatchBuilder::Sealed BatchBuilder::seal(std::uint32_t count, Envelope envelope,
                                        std::string_view topic) noexcept {
  ABUZZ_CHECK(count >= 1 && count <= slots_);
  ABUZZ_CHECK(head_space_of(topic.size()) <= head_space_);
  const bool is_chunk = (envelope.flags & batch_chunk) != 0;
  ABUZZ_CHECK(!is_chunk || count == 1);

  std::byte* const entries = place_entries(entry_zero_, head_space_, count);
  MessageEntry last;
  std::memcpy(&last, entries + (count - 1) * entry_bytes, entry_bytes);
  const std::uint32_t blob_length = last.offset + last.bytes;
  BodyHead head;
  head.blob = static_cast<std::uint32_t>(sizeof(BodyHead) - offsetof(BodyHead, blob) +
                                         count * entry_bytes + sizeof(std::uint32_t));
  head.messages_count = count;
  std::byte* const body = entries - sizeof(BodyHead);
  std::memcpy(body, &head, sizeof(BodyHead));
  const std::uint32_t gap[2] = {0, blob_length};
  static_assert(sizeof(gap) == blob_gap_bytes && sizeof(BodyHead) == body_head_bytes);
  std::memcpy(blob_ - blob_gap_bytes, gap, sizeof(gap));

  const std::size_t body_offset = body_offset_of(topic.size());
  if (has_keys(entries, count)) envelope.flags |= batch_has_keys;
  envelope.codec = Codec::raw;
  envelope.raw_bytes = static_cast<std::uint32_t>(body_bytes(count, blob_length));
  envelope.stored_bytes = envelope.raw_bytes;
  envelope.message_count = count;
  if (is_chunk) envelope.message_count = (envelope.flags & batch_last_chunk) != 0 ? 1 : 0;
  write_envelope(body - body_offset, envelope, topic);
  return {static_cast<std::size_t>(body - body_offset - memory_),
          body_offset + envelope.stored_bytes};
}

}  // namespace abuzz::wire
