#pragma once

#include <cstddef>
#include <cstdint>

#include "bus/message.hpp"

// The fixed layouts of schema/wire.md, which is the specification. Little-endian; every struct is
// copied in and out of bytes with memcpy, never cast in place.

namespace abuzz::wire {

inline constexpr std::uint32_t frame_magic = 0x465A'4241;  // "ABZF"
inline constexpr std::uint32_t batch_magic = 0x425A'4241;  // "ABZB"
inline constexpr std::uint32_t door_magic = 0x445A'4241;   // "ABZD"
inline constexpr std::uint8_t version_current = 1;
inline constexpr std::uint8_t version_oldest = 1;
inline constexpr std::size_t slice_alignment = 16;

inline constexpr std::size_t records_max = 1024;
inline constexpr std::size_t targets_max = 4096;
inline constexpr std::size_t parts_max = 16;  // beside the head
// Of each part of a frame. The largest payload travels in chunks, so it holds whatever the limits.
inline constexpr std::size_t frame_part_bytes_max = (1u << 20) + (64u << 10);
inline constexpr std::size_t batch_messages_max = 4096;
inline constexpr std::size_t message_bytes_max = 16u << 20;  // of a message in chunks
inline constexpr std::size_t stored_bytes_max = 1u << 20;    // of a batch body

// Do not change the values: they are on the wire.
using abuzz::Lane;
inline constexpr std::size_t lanes = 4;
// Those of messages: high, normal, bulk. Control has none of its own.
inline constexpr std::size_t data_lanes = 3;
constexpr bool is_data_lane(Lane lane) noexcept {
  return lane >= Lane::high && lane <= Lane::bulk;
}
// 0 for high, 1 for normal, 2 for bulk. Requires: a data lane.
constexpr std::size_t lane_index(Lane lane) noexcept {
  return static_cast<std::size_t>(lane) - 1;
}
constexpr Lane lane_at(std::size_t index) noexcept {
  return static_cast<Lane>(index + 1);
}

enum class Codec : std::uint8_t { raw = 0, zstd = 1 };

enum class RecordKind : std::uint8_t {
  batch = 1,
  void_range = 2,  // sequences that will never come: `seq`, `count`, `reason`
  abort = 3,       // the chunk train under way on this handle ends here, incomplete
  control = 4,     // the slice is a Control FlatBuffer; lane control
};

// Frame flags: what follows after a lost frame.
inline constexpr std::uint8_t frame_asks = 1;     // whether everything arrived: a frame must answer
inline constexpr std::uint8_t frame_answers = 2;  // the question that came last

// In place of what is left of a time to live: nothing. Only a train that was begun goes on.
inline constexpr std::uint32_t ttl_over = 0xFFFF'FFFF;

// Record flags.
inline constexpr std::uint8_t record_resume = 1;      // first after a link was lost: adopt seq - 1
inline constexpr std::uint8_t record_may_repeat = 2;  // may have been delivered before
inline constexpr std::uint8_t record_retained = 4;    // was kept for who comes later

// Envelope flags: the low 16 bits may be ignored, the high 16 must be understood.
inline constexpr std::uint32_t batch_has_keys = 1u << 0;  // some message has a key that is not 0
inline constexpr std::uint32_t batch_asks_receipts = 1u << 1;  // of each of its messages
inline constexpr std::uint32_t batch_chunk = 1u << 16;
inline constexpr std::uint32_t batch_last_chunk = 1u << 17;
inline constexpr std::uint32_t batch_flags_known = batch_chunk | batch_last_chunk;

struct FrameHead {
  std::uint32_t magic = frame_magic;
  std::uint8_t version = version_current;
  std::uint8_t kind = 3;  // 3: records follow; others are reserved
  std::uint16_t header_bytes = 64;
  std::uint32_t head_bytes = 0;  // of part 0: head, records, targets, inline slices
  std::uint16_t record_count = 0;
  std::uint16_t target_count = 0;
  std::uint8_t part_count = 1;  // parts of the message, the head included
  std::uint8_t flags = 0;
  std::uint16_t reserved0 = 0;
  std::uint32_t session_epoch = 0;
  std::uint32_t node_epoch = 0;
  std::uint32_t link_ack[3] = {0, 0, 0};  // high, normal, bulk: 64 B units processed, mod 2^32
  std::uint64_t link_seq = 0;             // per link and direction, from 1, no gaps
  std::uint32_t frames_acked = 0;         // frames of yours that I processed, mod 2^32
  std::uint32_t sent_ms = 0;     // monotonic clock of the sender, mod 2^32: of one host only
  std::uint64_t head_check = 0;  // XXH3-64 of records and targets, seeded with that of [0, 56)
};
static_assert(sizeof(FrameHead) == 64 && offsetof(FrameHead, head_check) == 56);
static_assert(offsetof(FrameHead, link_ack) == 28 && offsetof(FrameHead, link_seq) == 40);

struct Record {
  RecordKind kind = RecordKind::batch;
  Lane lane = Lane::normal;
  std::uint8_t hops = 0;
  std::uint8_t flags = 0;
  std::uint32_t handle = 0;        // up: publication. down: 0
  std::uint32_t slice_offset = 0;  // in its part, a multiple of 16
  std::uint32_t slice_bytes = 0;
  std::uint8_t part = 0;  // 0 is the head
  std::uint8_t reserved0 = 0;
  std::uint16_t attempt_or_reason = 0;
  std::uint16_t target_first = 0;
  std::uint16_t target_count = 0;  // 0 on the uplink
  std::uint32_t ttl_left_ms = 0;   // 0: none
  std::uint32_t message_count = 0;
  std::uint64_t seq = 0;  // first of the batch or of the range
};
static_assert(sizeof(Record) == 40 && offsetof(Record, seq) == 32);

struct Target {
  std::uint32_t subscription = 0;
  std::uint16_t first = 0;           // index of the first message selected
  std::uint16_t count = 0;           // of messages selected; 0 in a batch that counts none
  std::uint64_t first_delivery = 0;  // delivery number of the first message selected
};
static_assert(sizeof(Target) == 16);

struct Envelope {
  std::uint32_t magic = batch_magic;
  std::uint8_t version = version_current;
  Lane lane = Lane::normal;
  Codec codec = Codec::raw;
  std::uint8_t topic_bytes = 0;  // 1..160
  std::uint32_t flags = 0;
  std::uint16_t envelope_bytes = 128;
  std::uint16_t body_offset = 0;    // 128 + topic padded to 16
  std::uint32_t stored_bytes = 0;   // body as it stands here
  std::uint32_t raw_bytes = 0;      // body decompressed
  std::uint32_t message_count = 0;  // 0 on all but the last chunk of a train
  std::uint32_t ttl_ms = 0;
  std::uint64_t origin = 0;  // node_id
  std::uint64_t agent_id = 0;
  std::uint32_t publisher_id = 0;
  std::uint32_t publisher_epoch = 0;
  std::uint64_t first_seq = 0;
  std::int64_t send_time_ns = 0;  // wall clock at seal, for people
  std::uint64_t topic_hash = 0;   // XXH3-64
  std::uint32_t chunk_index = 0;
  std::uint32_t chunk_count = 0;    // 0: not a chunk
  std::uint64_t message_bytes = 0;  // of the chunked message
  std::uint64_t reserved0 = 0;
  std::uint64_t reserved1 = 0;
  std::uint64_t body_check = 0;      // XXH3-64 of the stored body
  std::uint64_t envelope_check = 0;  // XXH3-64 of [0, 120), which covers the topic by its hash
};
static_assert(sizeof(Envelope) == 128 && offsetof(Envelope, body_check) == 112);
static_assert(offsetof(Envelope, first_seq) == 56 && offsetof(Envelope, message_bytes) == 88);

// The slice of an abort record: whose chunk train ends.
struct AbortKey {
  std::uint64_t agent_id = 0;
  std::uint32_t publisher_id = 0;
  std::uint32_t publisher_epoch = 0;
};
static_assert(sizeof(AbortKey) == 16);

// What a batch costs in credit, in bytes; both ends of every window compute it from the envelope. A
// chunk train is charged whole at its first chunk, so that a train that was started can finish.
inline constexpr std::uint64_t chunk_overhead_bytes = 512;
constexpr std::uint64_t charged_bytes(const Envelope& envelope) noexcept {
  if ((envelope.flags & batch_chunk) == 0) return envelope.body_offset + envelope.stored_bytes;
  if (envelope.chunk_index != 0) return 0;
  return envelope.message_bytes + chunk_overhead_bytes * envelope.chunk_count;
}
// The same for a delivery that selects `count` of the batch's messages: its part of them.
constexpr std::uint64_t charged_bytes(const Envelope& envelope, std::uint32_t count) noexcept {
  const std::uint64_t whole = charged_bytes(envelope);
  if ((envelope.flags & batch_chunk) != 0 || count >= envelope.message_count) return whole;
  return (whole * count + envelope.message_count - 1) / envelope.message_count;
}

// The first 16 bytes of every datagram on the door; their meaning never changes. A FlatBuffer
// (DoorHello, DoorWelcome or DoorRefusal) follows.
enum class DoorKind : std::uint8_t { hello = 1, welcome = 2, refusal = 3, goodbye = 4 };
struct DoorHead {
  std::uint32_t magic = door_magic;
  std::uint8_t version_min = version_oldest;
  std::uint8_t version_max = version_current;
  DoorKind kind = DoorKind::hello;
  std::uint8_t reserved0 = 0;
  std::uint32_t body_bytes = 0;
  std::uint32_t reserved1 = 0;
};
static_assert(sizeof(DoorHead) == 16);

}  // namespace abuzz::wire
