#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "bus/base/units.hpp"
#include "bus/mem/buffer.hpp"
#include "bus/queue/tally.hpp"
#include "bus/wire/batch.hpp"

namespace abuzz::client {

// A batch under construction, standing at the front of the pooled block that it builds in. The
// publisher appends; the session takes what was committed, at any moment, and seals it in place.
//
// Threads: builder by the publisher's thread until `tally` is taken, then seal by the session;
// everything else is written before the segment is handed over. Ownership: the publisher and the
// session each hold a Buffer on the block.
struct Segment {
  queue::Tally tally;
  wire::BatchBuilder builder;
  // A part of a payload that is longer than one batch may be; complete when it is handed over.
  std::uint32_t chunk_flags = 0;
  std::uint32_t chunk_index = 0;
  std::uint32_t chunk_count = 0;
  std::uint64_t message_bytes = 0;
  // Of all its messages, set before the first is committed; 0: none.
  std::uint32_t ttl_ms = 0;
  base::Nanos expires_at = 0;  // counted from the oldest message
  bool asks_receipts = false;

  static constexpr std::size_t head_bytes = 192;

  // Requires: block.bytes() > head_bytes and 64-aligned.
  static Segment& create(const mem::Buffer& block, std::uint32_t slots, std::size_t topic_bytes) {
    auto* segment = new (block.data()) Segment;
    segment->builder = wire::BatchBuilder(block.span().subspan(head_bytes), slots, topic_bytes);
    return *segment;
  }
  static Segment& of(const mem::Buffer& block) noexcept {
    return *std::launder(reinterpret_cast<Segment*>(block.data()));
  }
};
static_assert(sizeof(Segment) <= Segment::head_bytes);

}  // namespace abuzz::client
