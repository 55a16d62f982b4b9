#pragma once

#include <cstddef>
#include <string_view>

#include "bus/base/units.hpp"
#include "bus/wire/layout.hpp"

namespace abuzz::wire {

constexpr std::size_t body_offset_of(std::size_t topic_bytes) noexcept {
  return sizeof(Envelope) + base::align_up(topic_bytes, slice_alignment);
}

// Writes envelope, topic and padding in front of a body of envelope.stored_bytes bytes that stands
// body_offset_of(topic.size()) behind `batch`. Fills in magic, version, offsets, hashes and checks;
// takes codec, stored_bytes, raw_bytes, message_count and the rest as they are.
void write_envelope(std::byte* batch, Envelope envelope, std::string_view topic) noexcept;

}  // namespace abuzz::wire
