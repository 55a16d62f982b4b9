#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bus/mem/buffer.hpp"
#include "bus/wire/layout.hpp"

namespace abuzz::wire {

// Why bytes were refused. `none` means that they were not.
enum class Reject : std::uint8_t {
  none,
  too_short,
  magic,
  version,
  header_bytes,
  reserved_not_zero,
  kind,
  counts,
  part_count,
  head_bytes,
  head_check,
  record_kind,
  lane,
  slice_bounds,
  slice_misaligned,
  target_bounds,
  envelope_magic,
  envelope_version,
  envelope_flags,
  envelope_sizes,
  topic,
  topic_hash,
  envelope_check,
  body_check,
  codec,
  decompress,
  raw_too_large,
  flatbuffer,
  message_bounds,
  message_flags,
  chunk,
  control,
  no_buffer,  // the pool had none: not the sender's fault
};
const char* reject_name(Reject reject) noexcept;

// Writes one frame head with its records, targets and inline slices into a buffer. Usage: clear,
// add_* in any order of records, finish. Does not allocate. Threads: one.
class FrameBuilder {
 public:
  // `records_capacity` and `targets_capacity` bound what can be added. Storage is the caller's.
  struct Storage {
    std::span<Record> records;
    std::span<Target> targets;
    std::span<std::span<const std::byte>> slices;  // one per record; inline slices, not yet copied
  };
  explicit FrameBuilder(Storage storage) noexcept : storage_(storage) {}

  void clear() noexcept;
  std::size_t record_count() const noexcept { return record_count_; }
  std::size_t target_count() const noexcept { return target_count_; }
  // Bytes that part 0 would have if it were finished now.
  std::size_t head_bytes() const noexcept { return head_bytes_; }
  bool has_room(std::size_t records, std::size_t targets) const noexcept {
    return record_count_ + records <= storage_.records.size() &&
           target_count_ + targets <= storage_.targets.size();
  }

  // Adds a record whose slice is copied into part 0. `inline_slice` must stay valid until finish.
  // Targets added after it, up to the next record, belong to it. Requires: has_room(1, 0).
  void add_inline(const Record& record, std::span<const std::byte> inline_slice) noexcept;
  // Adds a record whose slice stands in another part (record.part, slice_offset, slice_bytes set),
  // or that has no slice.
  void add_reference(const Record& record) noexcept;
  void add_target(const Target& target) noexcept;

  // Writes part 0 into `output` (at least head_bytes() long) and returns the bytes written. Fills
  // magic, counts, sizes, offsets and head_check; takes the rest from `head`.
  std::size_t finish(FrameHead head, std::span<std::byte> output) noexcept;

 private:
  void update_head_bytes() noexcept;

  Storage storage_;
  std::size_t record_count_ = 0;
  std::size_t target_count_ = 0;
  std::size_t inline_bytes_ = 0;
  std::size_t head_bytes_ = sizeof(FrameHead);
};

// Writes head and one record directly in front of a sealed batch that stands in `buffer` at
// `batch_offset`: a frame in place, without a copy. The batch has record.slice_bytes bytes, or if
// that is 0 it reaches to the end of `buffer`. Returns the offset at which the frame starts.
// Requires: batch_offset >= in_place_headroom and a multiple of 16; a record without targets.
inline constexpr std::size_t in_place_headroom = 112;  // 64 + 40, padded to 16
std::size_t write_frame_in_place(std::span<std::byte> buffer, std::size_t batch_offset,
                                 FrameHead head, Record record) noexcept;

// A frame whose head, records and targets were checked: bounds, counts, reserved bytes, head_check.
// What the slices hold is not looked at. Valid as long as the parts are.
class FrameView {
 public:
  // Checks `parts` (1 to parts_max + 1 of them). On anything but none the view is not to be used.
  static Reject parse(std::span<const std::span<const std::byte>> parts, FrameView& view) noexcept;

  const FrameHead& head() const noexcept { return head_; }
  std::size_t record_count() const noexcept { return head_.record_count; }
  // Copies out: the bytes may be misaligned. Requires: index < record_count().
  Record record(std::size_t index) const noexcept;
  // Requires: index < head().target_count.
  Target target(std::size_t index) const noexcept;
  std::span<const std::byte> slice(const Record& record) const noexcept;
  // Bytes of all parts.
  std::size_t frame_bytes() const noexcept { return frame_bytes_; }

 private:
  FrameHead head_;
  std::span<const std::byte> parts_[parts_max + 1];
  std::size_t part_count_ = 0;
  std::size_t frame_bytes_ = 0;
};

}  // namespace abuzz::wire
