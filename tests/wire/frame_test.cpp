#include "bus/wire/frame.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>

#include "tests/wire/wire_fixture.hpp"

namespace abuzz::wire::test {
namespace {

struct FrameStorage {
  std::vector<Record> records = std::vector<Record>(records_max);
  std::vector<Target> targets = std::vector<Target>(targets_max);
  std::vector<std::span<const std::byte>> slices =
      std::vector<std::span<const std::byte>>(records_max);
  FrameBuilder::Storage get() { return {records, targets, slices}; }
};

Record batch_record(std::uint32_t messages = 3) {
  Record record;
  record.handle = 9;
  record.seq = 41;
  record.message_count = messages;
  return record;
}

std::vector<std::byte> finish(FrameBuilder& builder, FrameHead head = {}) {
  std::vector<std::byte> bytes(builder.head_bytes());
  EXPECT_EQ(builder.finish(head, bytes), bytes.size());
  return bytes;
}

// One batch record with a target, one void record, one control record.
std::vector<std::byte> mixed_frame() {
  static const std::vector<std::byte> batch = three_messages();
  static const std::vector<std::byte> control = bytes_of("not looked at");
  FrameStorage storage;
  FrameBuilder builder(storage.get());
  builder.add_inline(batch_record(), batch);
  builder.add_target({.subscription = 5, .first = 1, .count = 2, .first_delivery = 77});
  Record gap;
  gap.kind = RecordKind::void_range;
  gap.seq = 44;
  gap.message_count = 6;
  builder.add_reference(gap);
  Record item;
  item.kind = RecordKind::control;
  item.lane = Lane::control;
  builder.add_inline(item, control);
  FrameHead head;
  head.session_epoch = 2;
  head.node_epoch = 3;
  head.link_seq = 1;
  head.link_ack[1] = 99;
  head.frames_acked = 12;
  return finish(builder, head);
}

TEST(Frame, reads_back_what_was_built) {
  const std::vector<std::byte> frame = mixed_frame();
  FrameView view;
  ASSERT_EQ(parse_frame(frame, view), Reject::none);
  EXPECT_EQ(view.head().session_epoch, 2u);
  EXPECT_EQ(view.head().node_epoch, 3u);
  EXPECT_EQ(view.head().link_ack[1], 99u);
  EXPECT_EQ(view.head().frames_acked, 12u);
  EXPECT_EQ(view.frame_bytes(), frame.size());
  ASSERT_EQ(view.record_count(), 3u);
  const Record batch = view.record(0);
  EXPECT_EQ(batch.handle, 9u);
  const std::vector<std::byte> expected = three_messages();
  const std::span<const std::byte> slice = view.slice(batch);
  EXPECT_TRUE(std::equal(slice.begin(), slice.end(), expected.begin(), expected.end()));
  ASSERT_EQ(batch.target_count, 1u);
  EXPECT_EQ(view.target(batch.target_first).first_delivery, 77u);
  EXPECT_EQ(view.record(1).kind, RecordKind::void_range);
  EXPECT_TRUE(view.slice(view.record(1)).empty());
  EXPECT_EQ(view.slice(view.record(2)).size(), 13u);
}

TEST(Frame, is_read_at_any_address) {
  const std::vector<std::byte> frame = mixed_frame();
  for (std::size_t shift = 0; shift < 16; ++shift) {
    Aligned memory(frame.size() + shift);
    memory.put(shift, frame);
    FrameView view;
    EXPECT_EQ(parse_frame(memory.span().subspan(shift), view), Reject::none);
  }
}

TEST(Frame, without_records_carries_acknowledgements_only) {
  FrameStorage storage;
  FrameBuilder builder(storage.get());
  const std::vector<std::byte> frame = finish(builder);
  EXPECT_EQ(frame.size(), sizeof(FrameHead));
  FrameView view;
  EXPECT_EQ(parse_frame(frame, view), Reject::none);
  EXPECT_EQ(view.record_count(), 0u);
}

TEST(Frame, builder_is_empty_again_after_clear) {
  FrameStorage storage;
  FrameBuilder builder(storage.get());
  const std::vector<std::byte> batch = three_messages();
  builder.add_inline(batch_record(), batch);
  builder.add_target({});
  builder.clear();
  EXPECT_EQ(builder.record_count(), 0u);
  EXPECT_EQ(builder.head_bytes(), sizeof(FrameHead));
  builder.add_inline(batch_record(), batch);
  const std::vector<std::byte> frame = finish(builder);
  FrameView view;
  ASSERT_EQ(parse_frame(frame, view), Reject::none);
  EXPECT_EQ(view.record(0).target_count, 0u);
}

TEST(Frame, holds_exactly_the_records_and_targets_that_fit) {
  FrameStorage storage;
  FrameBuilder builder(storage.get());
  Record abort;
  abort.kind = RecordKind::abort;
  for (std::size_t index = 0; index < records_max; ++index) {
    ASSERT_TRUE(builder.has_room(1, 4));
    builder.add_reference(abort);
    for (int target = 0; target < 4; ++target) builder.add_target({});
  }
  EXPECT_FALSE(builder.has_room(1, 0));
  EXPECT_FALSE(builder.has_room(0, 1));
  const std::vector<std::byte> frame = finish(builder);
  FrameView view;
  EXPECT_EQ(parse_frame(frame, view), Reject::none);
}

TEST(Frame, in_place_stands_in_front_of_the_batch) {
  Aligned memory(4096);
  BatchBuilder builder(memory.span(), 4, topic.size());
  append(builder, bytes_of("payload"));
  const BatchBuilder::Sealed sealed = builder.seal(1, envelope_for_tests(), topic);
  const std::span<std::byte> used = memory.span().first(sealed.offset + sealed.bytes);
  const std::size_t start = write_frame_in_place(used, sealed.offset, {}, batch_record(1));
  EXPECT_EQ(start, sealed.offset - in_place_headroom);
  FrameView view;
  ASSERT_EQ(parse_frame(used.subspan(start), view), Reject::none);
  ASSERT_EQ(view.record_count(), 1u);
  const std::span<const std::byte> slice = view.slice(view.record(0));
  EXPECT_EQ(slice.data(), used.data() + sealed.offset);
  BatchHead head;
  EXPECT_EQ(BatchHead::parse(slice, head), Reject::none);
}

TEST(Frame, slices_may_stand_in_other_parts) {
  const std::vector<std::byte> batch = three_messages();
  FrameStorage storage;
  FrameBuilder builder(storage.get());
  Record record = batch_record();
  record.part = 1;
  record.slice_bytes = static_cast<std::uint32_t>(batch.size());
  builder.add_reference(record);
  FrameHead head;
  head.part_count = 2;
  const std::vector<std::byte> first = finish(builder, head);
  const std::span<const std::byte> parts[2] = {first, batch};
  FrameView view;
  ASSERT_EQ(FrameView::parse(parts, view), Reject::none);
  EXPECT_EQ(view.slice(view.record(0)).data(), batch.data());
  EXPECT_EQ(view.frame_bytes(), first.size() + batch.size());
  EXPECT_EQ(parse_frame(first, view), Reject::part_count);
  // One byte less, and the slice reaches out of its part.
  const std::span<const std::byte> cut[2] = {first, std::span(batch).first(batch.size() - 1)};
  EXPECT_EQ(FrameView::parse(cut, view), Reject::slice_bounds);
}

TEST(Frame, parts_past_the_limit_are_refused) {
  FrameStorage storage;
  FrameBuilder builder(storage.get());
  for (std::size_t count = 0; count <= parts_max + 2; ++count) {
    builder.clear();
    FrameHead head;
    head.part_count = static_cast<std::uint8_t>(count);
    const std::vector<std::byte> frame = finish(builder, head);
    std::vector<std::span<const std::byte>> parts(count, std::span<const std::byte>(frame));
    FrameView view;
    const bool is_legal = count >= 1 && count <= parts_max + 1;
    EXPECT_EQ(FrameView::parse(parts, view), is_legal ? Reject::none : Reject::part_count);
  }
}

TEST(Frame, abort_names_a_stream_or_nothing) {
  const std::vector<std::byte> bytes(32);
  FrameStorage storage;
  FrameBuilder builder(storage.get());
  Record abort;
  abort.kind = RecordKind::abort;
  for (const std::size_t slice_bytes : {0, 15, 16, 17}) {
    builder.clear();
    builder.add_inline(abort, std::span(bytes).first(slice_bytes));
    FrameView view;
    const bool is_legal = slice_bytes == 0 || slice_bytes == sizeof(AbortKey);
    EXPECT_EQ(parse_frame(finish(builder), view), is_legal ? Reject::none : Reject::slice_bounds);
  }
}

struct Falsified {
  const char* what;
  Reject expected;
  std::function<void(FrameHead&, Record&, Target&)> change;
};

std::string name_of(const testing::TestParamInfo<Falsified>& info) {
  return info.param.what;
}

class FalsifiedFrame : public testing::TestWithParam<Falsified> {};

TEST_P(FalsifiedFrame, is_refused_for_the_field_that_lies) {
  std::vector<std::byte> frame = mixed_frame();
  FrameHead head = peek<FrameHead>(frame, 0);
  Record record = peek<Record>(frame, sizeof(FrameHead));
  const std::size_t target_offset = sizeof(FrameHead) + 3 * sizeof(Record);
  Target target = peek<Target>(frame, target_offset);
  GetParam().change(head, record, target);
  poke(frame, 0, head);
  poke(frame, sizeof(FrameHead), record);
  poke(frame, target_offset, target);
  // A table that would reach out of the frame has no check sum to set right.
  const std::size_t table_bytes =
      head.record_count * sizeof(Record) + head.target_count * sizeof(Target);
  const bool can_fix = sizeof(FrameHead) + table_bytes <= frame.size();
  if (GetParam().expected != Reject::head_check && can_fix) fix_head_check(frame);
  FrameView view;
  EXPECT_EQ(parse_frame(frame, view), GetParam().expected) << reject_name(parse_frame(frame, view));
}

using H = FrameHead;
using R = Record;
using T = Target;
INSTANTIATE_TEST_SUITE_P(
    Frame, FalsifiedFrame,
    testing::Values(
        Falsified{"magic", Reject::magic, [](H& h, R&, T&) { h.magic ^= 1; }},
        Falsified{"version_0", Reject::version, [](H& h, R&, T&) { h.version = 0; }},
        Falsified{"version_2", Reject::version, [](H& h, R&, T&) { h.version = 2; }},
        Falsified{"kind", Reject::kind, [](H& h, R&, T&) { h.kind = 2; }},
        Falsified{"header_bytes", Reject::header_bytes, [](H& h, R&, T&) { h.header_bytes = 72; }},
        Falsified{"head_bytes", Reject::head_bytes, [](H& h, R&, T&) { h.head_bytes += 16; }},
        Falsified{"records", Reject::counts, [](H& h, R&, T&) { h.record_count = 1025; }},
        Falsified{"targets", Reject::counts, [](H& h, R&, T&) { h.target_count = 4097; }},
        Falsified{"table", Reject::head_bytes, [](H& h, R&, T&) { h.record_count = 1024; }},
        Falsified{"part_count", Reject::part_count, [](H& h, R&, T&) { h.part_count = 2; }},
        Falsified{"part_count_0", Reject::part_count, [](H& h, R&, T&) { h.part_count = 0; }},
        Falsified{"flags", Reject::reserved_not_zero, [](H& h, R&, T&) { h.flags = 0x10; }},
        Falsified{"flags_low", Reject::none, [](H& h, R&, T&) { h.flags = 0x0f; }},
        Falsified{"reserved0", Reject::reserved_not_zero, [](H& h, R&, T&) { h.reserved0 = 1; }},
        Falsified{"head_check", Reject::head_check, [](H& h, R&, T&) { h.head_check ^= 1; }},
        Falsified{"target_unclaimed", Reject::target_bounds,
                  [](H&, R& r, T&) { r.target_count = 0; }},
        Falsified{"target_first", Reject::target_bounds, [](H&, R& r, T&) { r.target_first = 1; }},
        Falsified{"target_count", Reject::target_bounds, [](H&, R& r, T&) { r.target_count = 2; }},
        Falsified{"target_selection", Reject::target_bounds,
                  [](H&, R&, T& target) { target.count = 3; }},
        Falsified{"target_selects_none", Reject::target_bounds,
                  [](H&, R&, T& target) { target.count = 0; }},
        Falsified{"target_selection_first", Reject::target_bounds,
                  [](H&, R&, T& target) { target.first = 65535; }}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Record, FalsifiedFrame,
    testing::Values(
        Falsified{"kind_0", Reject::record_kind, [](H&, R& r, T&) { r.kind = RecordKind{0}; }},
        Falsified{"kind_5", Reject::record_kind, [](H&, R& r, T&) { r.kind = RecordKind{5}; }},
        Falsified{"lane", Reject::lane, [](H&, R& r, T&) { r.lane = Lane{4}; }},
        Falsified{"batch_on_control", Reject::lane, [](H&, R& r, T&) { r.lane = Lane::control; }},
        Falsified{"control_on_normal", Reject::lane,
                  [](H&, R& r, T&) { r.kind = RecordKind::control; }},
        Falsified{"flags", Reject::reserved_not_zero, [](H&, R& r, T&) { r.flags = 0x80; }},
        Falsified{"reserved", Reject::reserved_not_zero, [](H&, R& r, T&) { r.reserved0 = 1; }},
        Falsified{"seq_0", Reject::counts, [](H&, R& r, T&) { r.seq = 0; }},
        Falsified{"count", Reject::counts, [](H&, R& r, T&) { r.message_count = 4097; }},
        Falsified{"part", Reject::slice_bounds, [](H&, R& r, T&) { r.part = 1; }},
        Falsified{"slice_empty", Reject::slice_bounds, [](H&, R& r, T&) { r.slice_bytes = 0; }},
        Falsified{"slice_on_the_head", Reject::slice_bounds,
                  [](H&, R& r, T&) { r.slice_offset = 64; }},
        Falsified{"slice_misaligned", Reject::slice_misaligned,
                  [](H&, R& r, T&) { r.slice_offset += 8; }},
        Falsified{"slice_too_long", Reject::slice_bounds,
                  [](H&, R& r, T&) { r.slice_bytes = 0xffff'ffff; }},
        Falsified{"slice_wraps", Reject::slice_bounds,
                  [](H&, R& r, T&) {
                    r.slice_offset = 0xffff'fff0;
                    r.slice_bytes = 32;
                  }},
        Falsified{"void_with_slice", Reject::slice_bounds,
                  [](H&, R& r, T&) { r.kind = RecordKind::void_range; }},
        Falsified{"void_of_nothing", Reject::counts,
                  [](H&, R& r, T&) {
                    r.kind = RecordKind::void_range;
                    r.slice_bytes = r.slice_offset = r.message_count = 0;
                  }}),
    name_of);

TEST(Frame, too_few_bytes_are_refused) {
  const std::vector<std::byte> frame = mixed_frame();
  FrameView view;
  for (std::size_t bytes = 0; bytes < frame.size(); ++bytes)
    EXPECT_NE(parse_frame(std::span(frame).first(bytes), view), Reject::none);
  EXPECT_EQ(parse_frame(std::span(frame).first(63), view), Reject::too_short);
}

TEST(Frame, every_flipped_bit_of_head_and_table_is_refused) {
  const std::vector<std::byte> frame = mixed_frame();
  const std::size_t table_end = sizeof(FrameHead) + 3 * sizeof(Record) + sizeof(Target);
  FrameView view;
  for (std::size_t bit = 0; bit < table_end * 8; ++bit) {
    std::vector<std::byte> flipped = frame;
    flipped[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_NE(parse_frame(flipped, view), Reject::none) << "bit " << bit;
  }
}

TEST(Frame, every_reject_has_a_name_of_its_own) {
  std::set<std::string> names;
  for (int value = 0; value <= static_cast<int>(Reject::no_buffer); ++value)
    names.insert(reject_name(static_cast<Reject>(value)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Reject::no_buffer) + 1);
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace abuzz::wire::test
