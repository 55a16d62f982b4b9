#include <iterator>

#include "bus/wire/frame.hpp"

namespace abuzz::wire {

namespace {

// In the order of the enumeration.
constexpr const char* names[] = {
    "none",           "too_short",      "magic",
    "version",        "header_bytes",   "reserved_not_zero",
    "kind",           "counts",         "part_count",
    "head_bytes",     "head_check",     "record_kind",
    "lane",           "slice_bounds",   "slice_misaligned",
    "target_bounds",  "envelope_magic", "envelope_version",
    "envelope_flags", "envelope_sizes", "topic",
    "topic_hash",     "envelope_check", "body_check",
    "codec",          "decompress",     "raw_too_large",
    "flatbuffer",     "message_bounds", "message_flags",
    "chunk",          "control",        "no_buffer",
};
static_assert(std::size(names) == static_cast<std::size_t>(Reject::no_buffer) + 1);

}  // namespace

const char* reject_name(Reject reject) noexcept {
  const auto index = static_cast<std::size_t>(reject);
  return index < std::size(names) ? names[index] : "unknown";
}

}  // namespace abuzz::wire
