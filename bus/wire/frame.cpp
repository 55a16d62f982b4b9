#include "bus/wire/frame.hpp"

#include <cstring>

#include "bus/base/check.hpp"
#include "bus/base/units.hpp"
#include "bus/wire/hash.hpp"

namespace abuzz::wire {

namespace {

using base::align_up;

constexpr std::size_t check_offset = offsetof(FrameHead, head_check);
// The low half of a flags field may be ignored, the high half must be understood: nothing is yet.
constexpr std::uint8_t flags_must_understand = 0xf0;

// `table` is records and targets, which stand one behind the other.
std::uint64_t head_check_of(const std::byte* head, const std::byte* table,
                            std::size_t table_bytes) noexcept {
  return hash64(table, table_bytes, hash64(head, check_offset));
}

std::size_t table_bytes_of(const FrameHead& head) noexcept {
  return head.record_count * sizeof(Record) + head.target_count * sizeof(Target);
}

Reject check_head(const FrameHead& head, std::size_t part_bytes, std::size_t part_count) noexcept {
  if (head.magic != frame_magic) return Reject::magic;
  if (head.version < version_oldest || head.version > version_current) return Reject::version;
  if (head.header_bytes != sizeof(FrameHead)) return Reject::header_bytes;
  if (head.head_bytes != part_bytes) return Reject::head_bytes;
  if (head.part_count != part_count) return Reject::part_count;
  if (head.record_count > records_max || head.target_count > targets_max) return Reject::counts;
  if (sizeof(FrameHead) + table_bytes_of(head) > part_bytes) return Reject::head_bytes;
  return Reject::none;
}

// What is only looked at once the check sum has told that the sender meant it.
Reject check_meaning(const FrameHead& head) noexcept {
  if (head.kind != 3) return Reject::kind;
  if (head.reserved0 != 0) return Reject::reserved_not_zero;
  if ((head.flags & flags_must_understand) != 0) return Reject::reserved_not_zero;
  return Reject::none;
}

Reject check_slice(const Record& record, std::span<const std::span<const std::byte>> parts,
                   std::size_t slices_offset) noexcept {
  if (record.part >= parts.size()) return Reject::slice_bounds;
  if (record.slice_offset % slice_alignment != 0) return Reject::slice_misaligned;
  if (record.part == 0 && record.slice_offset < slices_offset) return Reject::slice_bounds;
  const std::uint64_t end = std::uint64_t{record.slice_offset} + record.slice_bytes;
  if (end > parts[record.part].size()) return Reject::slice_bounds;
  return Reject::none;
}

Reject check_no_slice(const Record& record) noexcept {
  const bool has_none = record.slice_bytes == 0 && record.slice_offset == 0 && record.part == 0;
  return has_none ? Reject::none : Reject::slice_bounds;
}

Reject check_record(const Record& record, std::span<const std::span<const std::byte>> parts,
                    std::size_t slices_offset) noexcept {
  if (record.lane > Lane::bulk) return Reject::lane;
  if (record.reserved0 != 0) return Reject::reserved_not_zero;
  if ((record.flags & flags_must_understand) != 0) return Reject::reserved_not_zero;
  switch (record.kind) {
    case RecordKind::batch:
      if (record.lane == Lane::control) return Reject::lane;
      if (record.slice_bytes == 0) return Reject::slice_bounds;
      if (record.seq == 0 || record.message_count > batch_messages_max) return Reject::counts;
      return check_slice(record, parts, slices_offset);
    case RecordKind::control:
      if (record.lane != Lane::control) return Reject::lane;
      if (record.slice_bytes == 0) return Reject::slice_bounds;
      return check_slice(record, parts, slices_offset);
    case RecordKind::void_range:
      if (record.seq == 0 || record.message_count == 0) return Reject::counts;
      return check_no_slice(record);
    case RecordKind::abort:
      if (record.slice_bytes == 0) return check_no_slice(record);
      if (record.slice_bytes != sizeof(AbortKey)) return Reject::slice_bounds;
      return check_slice(record, parts, slices_offset);
  }
  return Reject::record_kind;
}

// Checks records and targets. Each target belongs to one record, in order: so no work is asked for
// twice.
Reject check_table(const FrameHead& head,
                   std::span<const std::span<const std::byte>> parts) noexcept {
  const std::size_t slices_offset = sizeof(FrameHead) + table_bytes_of(head);
  const std::byte* const records = parts[0].data() + sizeof(FrameHead);
  const std::byte* const targets = records + head.record_count * sizeof(Record);
  std::size_t targets_seen = 0;
  for (std::size_t index = 0; index < head.record_count; ++index) {
    Record record;
    std::memcpy(&record, records + index * sizeof(Record), sizeof(Record));
    if (const Reject reject = check_record(record, parts, slices_offset); reject != Reject::none)
      return reject;
    const std::size_t first_expected = record.target_count == 0 ? 0 : targets_seen;
    if (record.target_first != first_expected) return Reject::target_bounds;
    if (targets_seen + record.target_count > head.target_count) return Reject::target_bounds;
    for (std::size_t nth = 0; nth < record.target_count; ++nth, ++targets_seen) {
      Target target;
      std::memcpy(&target, targets + targets_seen * sizeof(Target), sizeof(Target));
      if (std::uint32_t{target.first} + target.count > record.message_count)
        return Reject::target_bounds;
      const bool selects_none = target.count == 0 && record.message_count > 0;
      if (selects_none && record.kind == RecordKind::batch) return Reject::target_bounds;
    }
  }
  return targets_seen == head.target_count ? Reject::none : Reject::target_bounds;
}

}  // namespace

void FrameBuilder::clear() noexcept {
  record_count_ = 0;
  target_count_ = 0;
  inline_bytes_ = 0;
  head_bytes_ = sizeof(FrameHead);
}

void FrameBuilder::add_inline(const Record& record,
                              std::span<const std::byte> inline_slice) noexcept {
  ABUZZ_CHECK(has_room(1, 0) && record_count_ < storage_.slices.size());
  Record& added = storage_.records[record_count_];
  added = record;
  added.part = 0;
  // Relative to the first slice until finish() knows how many records and targets stand before it.
  added.slice_offset = inline_slice.empty() ? 0 : static_cast<std::uint32_t>(inline_bytes_);
  added.slice_bytes = static_cast<std::uint32_t>(inline_slice.size());
  added.target_first = 0;
  added.target_count = 0;
  storage_.slices[record_count_] = inline_slice;
  ++record_count_;
  inline_bytes_ = align_up(inline_bytes_ + inline_slice.size(), slice_alignment);
  update_head_bytes();
}

void FrameBuilder::add_reference(const Record& record) noexcept {
  ABUZZ_CHECK(has_room(1, 0) && record_count_ < storage_.slices.size());
  Record& added = storage_.records[record_count_];
  added = record;
  added.target_first = 0;
  added.target_count = 0;
  storage_.slices[record_count_] = {};
  ++record_count_;
  update_head_bytes();
}

void FrameBuilder::add_target(const Target& target) noexcept {
  ABUZZ_CHECK(record_count_ > 0 && has_room(0, 1));
  Record& record = storage_.records[record_count_ - 1];
  if (record.target_count == 0) record.target_first = static_cast<std::uint16_t>(target_count_);
  ++record.target_count;
  storage_.targets[target_count_] = target;
  ++target_count_;
  update_head_bytes();
}

void FrameBuilder::update_head_bytes() noexcept {
  const std::size_t table_end =
      sizeof(FrameHead) + record_count_ * sizeof(Record) + target_count_ * sizeof(Target);
  head_bytes_ =
      inline_bytes_ == 0 ? table_end : align_up(table_end, slice_alignment) + inline_bytes_;
}

// HOT: sender and shard, once a frame.
std::size_t FrameBuilder::finish(FrameHead head, std::span<std::byte> output) noexcept {
  ABUZZ_CHECK(output.size() >= head_bytes_);
  const std::size_t records_bytes = record_count_ * sizeof(Record);
  const std::size_t targets_bytes = target_count_ * sizeof(Target);
  const std::size_t table_end = sizeof(FrameHead) + records_bytes + targets_bytes;
  const std::size_t slices_offset = align_up(table_end, slice_alignment);

  std::byte* const bytes = output.data();
  std::size_t filled = table_end;  // everything before it is, or will be, written
  for (std::size_t index = 0; index < record_count_; ++index) {
    const std::span<const std::byte> slice = storage_.slices[index];
    if (slice.empty()) continue;
    Record& record = storage_.records[index];
    record.slice_offset += static_cast<std::uint32_t>(slices_offset);
    std::memset(bytes + filled, 0, record.slice_offset - filled);
    std::memcpy(bytes + record.slice_offset, slice.data(), slice.size());
    filled = record.slice_offset + slice.size();
  }
  std::memset(bytes + filled, 0, head_bytes_ - filled);
  if (records_bytes > 0)
    std::memcpy(bytes + sizeof(FrameHead), storage_.records.data(), records_bytes);
  if (targets_bytes > 0)
    std::memcpy(bytes + sizeof(FrameHead) + records_bytes, storage_.targets.data(), targets_bytes);

  head.magic = frame_magic;
  head.version = version_current;
  head.kind = 3;
  head.header_bytes = sizeof(FrameHead);
  head.head_bytes = static_cast<std::uint32_t>(head_bytes_);
  head.record_count = static_cast<std::uint16_t>(record_count_);
  head.target_count = static_cast<std::uint16_t>(target_count_);
  std::memcpy(bytes, &head, sizeof(FrameHead));
  head.head_check = head_check_of(bytes, bytes + sizeof(FrameHead), records_bytes + targets_bytes);
  std::memcpy(bytes + check_offset, &head.head_check, sizeof(head.head_check));
  return head_bytes_;
}

// HOT: sender, once a batch.
std::size_t write_frame_in_place(std::span<std::byte> buffer, std::size_t batch_offset,
                                 FrameHead head, Record record) noexcept {
  ABUZZ_CHECK(batch_offset >= in_place_headroom && batch_offset % slice_alignment == 0);
  ABUZZ_CHECK(batch_offset + record.slice_bytes <= buffer.size());
  const std::size_t start = batch_offset - in_place_headroom;
  if (record.slice_bytes == 0)
    record.slice_bytes = static_cast<std::uint32_t>(buffer.size() - batch_offset);
  record.part = 0;
  record.slice_offset = in_place_headroom;
  record.target_first = 0;
  record.target_count = 0;
  head.magic = frame_magic;
  head.version = version_current;
  head.kind = 3;
  head.header_bytes = sizeof(FrameHead);
  head.head_bytes = static_cast<std::uint32_t>(in_place_headroom + record.slice_bytes);
  head.record_count = 1;
  head.target_count = 0;
  head.part_count = 1;

  std::byte* const bytes = buffer.data() + start;
  std::memcpy(bytes, &head, sizeof(FrameHead));
  std::memcpy(bytes + sizeof(FrameHead), &record, sizeof(Record));
  constexpr std::size_t table_end = sizeof(FrameHead) + sizeof(Record);
  std::memset(bytes + table_end, 0, in_place_headroom - table_end);
  head.head_check = head_check_of(bytes, bytes + sizeof(FrameHead), sizeof(Record));
  std::memcpy(bytes + check_offset, &head.head_check, sizeof(head.head_check));
  return start;
}

// HOT: shard and receiver, once a frame.
Reject FrameView::parse(std::span<const std::span<const std::byte>> parts,
                        FrameView& view) noexcept {
  view.frame_bytes_ = 0;
  if (parts.empty() || parts.size() > parts_max + 1) return Reject::part_count;
  const std::span<const std::byte> first = parts[0];
  if (first.size() < sizeof(FrameHead)) return Reject::too_short;

  FrameHead head;
  std::memcpy(&head, first.data(), sizeof(head));
  if (const Reject reject = check_head(head, first.size(), parts.size()); reject != Reject::none)
    return reject;
  const std::byte* const table = first.data() + sizeof(FrameHead);
  const std::size_t table_bytes = table_bytes_of(head);
  if (head_check_of(first.data(), table, table_bytes) != head.head_check) return Reject::head_check;
  if (const Reject reject = check_meaning(head); reject != Reject::none) return reject;

  if (const Reject reject = check_table(head, parts); reject != Reject::none) return reject;

  view.head_ = head;
  view.part_count_ = parts.size();
  for (std::size_t index = 0; index < parts.size(); ++index) {
    view.parts_[index] = parts[index];
    view.frame_bytes_ += parts[index].size();
  }
  return Reject::none;
}

Record FrameView::record(std::size_t index) const noexcept {
  Record record;
  std::memcpy(&record, parts_[0].data() + sizeof(FrameHead) + index * sizeof(Record),
              sizeof(Record));
  return record;
}

Target FrameView::target(std::size_t index) const noexcept {
  Target target;
  std::memcpy(&target,
              parts_[0].data() + sizeof(FrameHead) + head_.record_count * sizeof(Record) +
                  index * sizeof(Target),
              sizeof(Target));
  return target;
}

std::span<const std::byte> FrameView::slice(const Record& record) const noexcept {
  if (record.slice_bytes == 0) return {};
  return parts_[record.part].subspan(record.slice_offset, record.slice_bytes);
}

}  // namespace abuzz::wire
