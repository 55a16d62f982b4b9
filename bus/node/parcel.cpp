#include "bus/node/parcel.hpp"

namespace abuzz::node {

void Parcel::clear() noexcept {
  for (; share_count_ > 0; --share_count_) shares_[share_count_ - 1].reset();
  abort_count_ = 0;
  last_ = {};
  frame_.clear();
}

void Parcel::begin(SessionId to) noexcept {
  clear();
  session = to;
  builder_.clear();
  frame_.part_count = 1;  // the head, filled last
  load_ = {};
  bytes_ = builder_.head_bytes();
  referenced_bytes_ = 0;
  messages_ = batches_ = 0;
}

void Parcel::add_control(std::span<const std::byte> control) {
  control_.assign(control.begin(), control.end());
  wire::Record record;
  record.kind = wire::RecordKind::control;
  record.lane = wire::Lane::control;
  builder_.add_inline(record, control_);
  load_.add(wire::Lane::control, 0);
  bytes_ = builder_.head_bytes();
}

bool Parcel::has_room(const delivery::Routed& routed) const noexcept {
  if (!builder_.has_room(1, 1) || bytes_ >= bytes_target) return false;
  if (routed.aborts) return abort_count_ < aborts_max;
  return routed.slice_bytes < reference_bytes_min || frame_.part_count <= wire::parts_max;
}

// HOT: shard thread, once a batch and subscriber.
void Parcel::add(const delivery::Switch::Outgoing& next) {
  const delivery::Routed& routed = *next.routed;
  wire::Record record;
  record.kind = routed.aborts ? wire::RecordKind::abort : wire::RecordKind::batch;
  record.lane = routed.lane;
  record.hops = 1;
  record.message_count = routed.count;
  record.seq = routed.first_seq;
  record.ttl_left_ms = next.ttl_left_ms;
  record.attempt_or_reason = next.attempt;
  record.flags = next.may_repeat ? wire::record_may_repeat : 0;
  if (routed.is_retained) record.flags |= wire::record_retained;
  if (routed.slice_bytes >= reference_bytes_min) {
    record.part = static_cast<std::uint8_t>(frame_.part_count);
    record.slice_bytes = routed.slice_bytes;
    frame_.add(routed.slice.share());
    builder_.add_reference(record);
    referenced_bytes_ += routed.slice_bytes;
  } else if (routed.aborts) {
    aborts_[abort_count_] = routed.abort_key;
    builder_.add_inline(record, std::as_bytes(std::span(&aborts_[abort_count_++], 1)));
  } else {
    mem::Buffer& share = shares_[share_count_++] = routed.slice.share();
    builder_.add_inline(record, share.span());
  }
  load_.add(routed.lane, routed.slice_bytes);
  bytes_ += routed.slice_bytes + sizeof(wire::Record);
  ++batches_;
  last_ = next;
  add_target(next);
}

bool Parcel::try_add_target(const delivery::Switch::Outgoing& next) {
  const bool is_same = next.routed == last_.routed && !next.routed->aborts &&
                       next.attempt == last_.attempt && next.may_repeat == last_.may_repeat;
  if (!is_same || !builder_.has_room(0, 1)) return false;
  add_target(next);
  return true;
}

void Parcel::add_target(const delivery::Switch::Outgoing& next) {
  wire::Target target;
  target.subscription = next.subscription;
  target.first = static_cast<std::uint16_t>(next.first);
  target.count = static_cast<std::uint16_t>(next.count);
  target.first_delivery = next.first_delivery;
  builder_.add_target(target);
  bytes_ += sizeof(wire::Target);
  messages_ += next.count;
}

link::Frame& Parcel::finish(mem::Buffer&& first) {
  head.part_count = static_cast<std::uint8_t>(frame_.part_count);
  builder_.finish(head, first.span());
  frame_.parts[0] = std::move(first);
  for (; share_count_ > 0; --share_count_) shares_[share_count_ - 1].reset();
  abort_count_ = 0;
  last_ = {};
  return frame_;
}

}  // namespace abuzz::node
