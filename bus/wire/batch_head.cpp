#include <algorithm>
#include <cstring>
#include <limits>

#include "bus/topic.hpp"
#include "bus/wire/batch.hpp"
#include "bus/wire/envelope.hpp"
#include "bus/wire/hash.hpp"

namespace abuzz::wire {

namespace {

constexpr std::uint32_t flags_must_understand = 0xffff'0000;

bool is_zero(const std::byte* bytes, std::size_t count) noexcept {
  std::byte any{0};
  for (std::size_t index = 0; index < count; ++index) any |= bytes[index];
  return any == std::byte{0};
}

Reject check_sizes(const Envelope& envelope, std::size_t slice_bytes) noexcept {
  if (envelope.topic_bytes == 0 || envelope.topic_bytes > reserved_topic_bytes_max)
    return Reject::topic;
  if (envelope.body_offset != body_offset_of(envelope.topic_bytes)) return Reject::envelope_sizes;
  const std::size_t batch_bytes = std::size_t{envelope.body_offset} + envelope.stored_bytes;
  if (batch_bytes != slice_bytes) return Reject::envelope_sizes;
  if (envelope.stored_bytes == 0 || envelope.stored_bytes > stored_bytes_max)
    return Reject::envelope_sizes;
  if (envelope.codec > Codec::zstd) return Reject::codec;
  const bool sizes_fit = envelope.codec == Codec::raw ? envelope.raw_bytes == envelope.stored_bytes
                                                      : envelope.raw_bytes > envelope.stored_bytes;
  return sizes_fit ? Reject::none : Reject::envelope_sizes;
}

Reject check_chunk(const Envelope& envelope) noexcept {
  const bool is_last = (envelope.flags & batch_last_chunk) != 0;
  if ((envelope.flags & batch_chunk) == 0) {
    const bool is_plain = !is_last && envelope.chunk_index == 0 && envelope.chunk_count == 0 &&
                          envelope.message_bytes == 0;
    return is_plain ? Reject::none : Reject::chunk;
  }
  if (envelope.message_bytes == 0 || envelope.message_bytes > message_bytes_max)
    return Reject::chunk;
  if (envelope.chunk_count == 0 || envelope.chunk_count > envelope.message_bytes)
    return Reject::chunk;
  if (envelope.chunk_index >= envelope.chunk_count) return Reject::chunk;
  if (is_last != (envelope.chunk_index + 1 == envelope.chunk_count)) return Reject::chunk;
  // All chunks but the last are equally long. What follows from it is checked here, and bounds what
  // a train may bring by twice what is charged for it.
  const std::uint64_t payload_bytes_max =
      envelope.message_bytes / std::max(envelope.chunk_count - 1, 1u);
  if (std::uint64_t{envelope.body_offset} + envelope.raw_bytes >
      payload_bytes_max + chunk_overhead_bytes)
    return Reject::chunk;
  return Reject::none;
}

Reject check_counts(const Envelope& envelope) noexcept {
  if (envelope.message_count > batch_messages_max) return Reject::counts;
  const bool is_chunk = (envelope.flags & batch_chunk) != 0;
  const bool is_last = (envelope.flags & batch_last_chunk) != 0;
  if (is_chunk && envelope.message_count != (is_last ? 1u : 0u)) return Reject::counts;
  if (!is_chunk && envelope.message_count == 0) return Reject::counts;
  if (envelope.first_seq == 0) return Reject::counts;
  if (envelope.first_seq > std::numeric_limits<std::uint64_t>::max() - envelope.message_count)
    return Reject::counts;
  return Reject::none;
}

// What the sender meant, once the check sums have told that it did.
Reject check_meaning(const Envelope& envelope) noexcept {
  if (envelope.lane == Lane::control || envelope.lane > Lane::bulk) return Reject::lane;
  if ((envelope.flags & flags_must_understand & ~batch_flags_known) != 0)
    return Reject::envelope_flags;
  if (envelope.reserved0 != 0 || envelope.reserved1 != 0) return Reject::reserved_not_zero;
  if (const Reject reject = check_chunk(envelope); reject != Reject::none) return reject;
  return check_counts(envelope);
}

}  // namespace

// HOT: shard and receiver, once a batch.
Reject BatchHead::parse(std::span<const std::byte> slice, BatchHead& head) noexcept {
  if (slice.size() < sizeof(Envelope)) return Reject::too_short;
  Envelope& envelope = head.envelope;
  std::memcpy(&envelope, slice.data(), sizeof(Envelope));
  if (envelope.magic != batch_magic) return Reject::envelope_magic;
  if (envelope.version < version_oldest || envelope.version > version_current)
    return Reject::envelope_version;
  if (envelope.envelope_bytes != sizeof(Envelope)) return Reject::header_bytes;
  if (hash64(slice.data(), offsetof(Envelope, envelope_check)) != envelope.envelope_check)
    return Reject::envelope_check;
  if (const Reject reject = check_sizes(envelope, slice.size()); reject != Reject::none)
    return reject;
  if (const Reject reject = check_meaning(envelope); reject != Reject::none) return reject;

  const std::byte* const topic = slice.data() + sizeof(Envelope);
  if (!is_zero(topic + envelope.topic_bytes,
               envelope.body_offset - sizeof(Envelope) - envelope.topic_bytes))
    return Reject::reserved_not_zero;
  head.topic = {reinterpret_cast<const char*>(topic), envelope.topic_bytes};
  if (hash64(topic, envelope.topic_bytes) != envelope.topic_hash) return Reject::topic_hash;
  if (check_topic(head.topic) != TopicFault::none) return Reject::topic;
  head.batch_bytes = slice.size();
  return Reject::none;
}

}  // namespace abuzz::wire
