#include "bus/wire/frame.hpp"

namespace abuzz::wire {

const char* reject_name(Reject reject) noexcept {
  switch (reject) {
    case Reject::none:
      return "none";
    case Reject::too_short:
      return "too_short";
    case Reject::magic:
      return "magic";
    case Reject::version:
      return "version";
    case Reject::header_bytes:
      return "header_bytes";
    case Reject::reserved_not_zero:
      return "reserved_not_zero";
    case Reject::kind:
      return "kind";
    case Reject::counts:
      return "counts";
    case Reject::part_count:
      return "part_count";
    case Reject::head_bytes:
      return "head_bytes";
    case Reject::head_check:
      return "head_check";
    case Reject::record_kind:
      return "record_kind";
    case Reject::lane:
      return "lane";
    case Reject::slice_bounds:
      return "slice_bounds";
    case Reject::slice_misaligned:
      return "slice_misaligned";
    case Reject::target_bounds:
      return "target_bounds";
    case Reject::envelope_magic:
      return "envelope_magic";
    case Reject::envelope_version:
      return "envelope_version";
    case Reject::envelope_flags:
      return "envelope_flags";
    case Reject::envelope_sizes:
      return "envelope_sizes";
    case Reject::topic:
      return "topic";
    case Reject::topic_hash:
      return "topic_hash";
    case Reject::envelope_check:
      return "envelope_check";
    case Reject::body_check:
      return "body_check";
    case Reject::codec:
      return "codec";
    case Reject::decompress:
      return "decompress";
    case Reject::raw_too_large:
      return "raw_too_large";
    case Reject::flatbuffer:
      return "flatbuffer";
    case Reject::message_bounds:
      return "message_bounds";
    case Reject::message_flags:
      return "message_flags";
    case Reject::chunk:
      return "chunk";
    case Reject::control:
      return "control";
    case Reject::no_buffer:
      return "no_buffer";
  }
  return "unknown";
}

}  // namespace abuzz::wire
