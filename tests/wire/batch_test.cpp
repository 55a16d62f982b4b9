#include "bus/wire/batch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>

#include "bus/queue/tally.hpp"
#include "schema/batch_generated.h"
#include "tests/wire/wire_fixture.hpp"

namespace abuzz::wire::test {
namespace {

Reject verify_bytes(std::span<const std::byte> bytes, BatchView& view, TestPool& pool) {
  return verify(pool.put(bytes), pool.pool(), {}, view);
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Batch, reads_back_what_was_built) {
  TestPool pool;
  BatchView view;
  ASSERT_EQ(verify_bytes(three_messages(), view, pool), Reject::none);
  ASSERT_EQ(view.count(), 3u);
  EXPECT_EQ(view.topic(), topic);
  EXPECT_EQ(text_of(view.payload(0)), "first");
  EXPECT_EQ(text_of(view.payload(1)), "the second message");
  EXPECT_EQ(text_of(view.payload(2)), "3");
  EXPECT_EQ(view.entry(2).key, 2u);
  EXPECT_EQ(view.entry(2).correlation, 3u);
  EXPECT_EQ(view.entry(2).delta_us, 7u);
  EXPECT_EQ(view.envelope().first_seq, 41u);
  EXPECT_EQ(view.envelope().message_count, 3u);
}

TEST(Batch, is_what_the_generated_code_reads) {
  const std::vector<std::byte> batch = three_messages();
  const std::size_t body_offset = peek<std::uint16_t>(batch, offsetof(Envelope, body_offset));
  ASSERT_LT(body_offset, batch.size());
  const std::span<const std::byte> bytes = std::span(batch).subspan(body_offset);
  Aligned body(bytes.size());
  body.put(0, bytes);
  const auto* const start = reinterpret_cast<const std::uint8_t*>(body.data());
  flatbuffers::Verifier verifier(start, bytes.size());
  ASSERT_TRUE(fb::VerifyBatchBuffer(verifier));
  const fb::Batch* const table = fb::GetBatch(start);
  EXPECT_EQ(table->version(), 1);
  ASSERT_EQ(table->messages()->size(), 3u);
  const fb::Message* const second = table->messages()->Get(1);
  EXPECT_EQ(second->bytes(), 18u);
  EXPECT_EQ(second->key(), 1u);
  EXPECT_EQ(std::memcmp(table->blob()->data() + second->offset(), "the second message", 18), 0);
  EXPECT_EQ(table->extras(), nullptr);
  EXPECT_EQ(table->content_type(), nullptr);
}

// What the schema language cannot promise for [ubyte].
TEST(Batch, aligns_body_entries_blob_and_payloads) {
  TestPool pool;
  for (std::size_t topic_bytes = 1; topic_bytes <= 128; ++topic_bytes) {
    const std::string name(topic_bytes, 'a');
    for (std::size_t messages = 1; messages <= 40; messages += 3) {
      const std::vector<std::vector<std::byte>> payloads(messages, bytes_of("odd size!"));
      const std::vector<std::byte> batch = sealed_batch(payloads, envelope_for_tests(), name);
      BatchView view;
      ASSERT_EQ(verify_bytes(batch, view, pool), Reject::none);
      EXPECT_EQ(view.envelope().body_offset % 16, 0);
      for (std::uint32_t index = 0; index < messages; ++index)
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.payload(index).data()) % 8, 0u);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.payload(0).data()) % 16, 0u);
    }
  }
}

TEST(Batch, has_the_size_that_was_told_ahead) {
  const std::vector<std::byte> batch =
      sealed_batch({std::vector<std::byte>(64), std::vector<std::byte>(64)});
  EXPECT_EQ(peek<std::uint32_t>(batch, offsetof(Envelope, raw_bytes)),
            BatchBuilder::body_bytes(2, 128));
}

TEST(Batch, builder_fills_every_slot_and_every_byte_and_no_more) {
  for (const std::uint32_t slots : {1u, 2u, 15u, 16u, 17u, 4095u, 4096u}) {
    Aligned memory(BatchBuilder::bytes_needed(slots, topic.size(), slots * 24));
    BatchBuilder builder(memory.span(), slots, topic.size());
    const std::vector<std::byte> payload(24, std::byte{7});
    for (std::uint32_t index = 0; index < slots; ++index) ASSERT_TRUE(append(builder, payload));
    EXPECT_EQ(builder.room(), 0u);
    EXPECT_EQ(builder.claim(0).data(), nullptr);
    const BatchBuilder::Sealed sealed = builder.seal(slots, envelope_for_tests(), topic);
    EXPECT_GE(sealed.offset, in_place_headroom);
    EXPECT_EQ(sealed.offset + sealed.bytes, memory.span().size());
    TestPool pool;
    BatchView view;
    ASSERT_EQ(verify_bytes(memory.span().subspan(sealed.offset, sealed.bytes), view, pool),
              Reject::none);
    EXPECT_EQ(view.count(), slots);
  }
}

TEST(Batch, claim_gives_room_exactly_up_to_the_end_of_the_blob) {
  Aligned memory(BatchBuilder::bytes_needed(8, topic.size(), 256));
  BatchBuilder builder(memory.span(), 8, topic.size());
  EXPECT_EQ(builder.room(), 256u);
  EXPECT_EQ(builder.claim(257).data(), nullptr);
  EXPECT_EQ(builder.claim(~std::size_t{0}).data(), nullptr);
  EXPECT_NE(builder.claim(256).data(), nullptr);
  append(builder, std::vector<std::byte>(241));
  EXPECT_EQ(builder.blob_bytes(), 248u);
  EXPECT_EQ(builder.room(), 8u);
  EXPECT_EQ(builder.claim(9).data(), nullptr);
  EXPECT_NE(builder.claim(8).data(), nullptr);
  EXPECT_EQ(builder.claim(8).data(), builder.claim(5).data());
}

TEST(Batch, may_commit_less_than_was_claimed_and_messages_without_bytes) {
  Aligned memory(4096);
  BatchBuilder builder(memory.span(), 4, topic.size());
  builder.claim(100);
  builder.commit_entry(3, 0, 0, 0);
  EXPECT_NE(builder.claim(0).data(), nullptr);
  builder.commit_entry(0, 0, 0, 0);
  builder.claim(8);
  builder.commit_entry(8, 0, 0, 0);
  const BatchBuilder::Sealed sealed = builder.seal(3, envelope_for_tests(), topic);
  TestPool pool;
  BatchView view;
  ASSERT_EQ(verify_bytes(memory.span().subspan(sealed.offset, sealed.bytes), view, pool),
            Reject::none);
  EXPECT_EQ(view.payload(0).size(), 3u);
  EXPECT_EQ(view.payload(1).size(), 0u);
  EXPECT_EQ(view.payload(2).size(), 8u);
}

TEST(Batch, does_not_tell_what_the_buffer_held_before) {
  Aligned memory(4096);
  std::memset(memory.data(), 0x5a, 4096);
  BatchBuilder builder(memory.span(), 4, topic.size());
  for (int index = 0; index < 3; ++index) append(builder, std::vector<std::byte>(9));
  const BatchBuilder::Sealed sealed = builder.seal(3, envelope_for_tests(), topic);
  write_frame_in_place(memory.span().first(sealed.offset + sealed.bytes), sealed.offset, {}, {});
  const std::size_t start = sealed.offset - in_place_headroom;
  // Two stale bytes next to each other are not by chance in a check sum.
  for (std::size_t at = start; at + 1 < sealed.offset + sealed.bytes; ++at)
    EXPECT_FALSE(memory.data()[at] == std::byte{0x5a} && memory.data()[at + 1] == std::byte{0x5a})
        << at - start;
}

TEST(Batch, seals_any_prefix_while_the_next_message_is_being_written) {
  constexpr std::uint32_t slots = 60;
  for (std::uint32_t taken = 1; taken < slots; ++taken) {
    Aligned memory(BatchBuilder::bytes_needed(slots, topic.size(), slots * 24));
    BatchBuilder builder(memory.span(), slots, topic.size());
    for (std::uint32_t index = 0; index < taken; ++index)
      append(builder, std::vector<std::byte>(17, static_cast<std::byte>(index)), index);
    // The producer is one message ahead of what the consumer knows of.
    append(builder, std::vector<std::byte>(24, std::byte{0xee}), 999);
    const std::vector<std::byte> before(memory.span().begin(), memory.span().end());
    const BatchBuilder::Sealed sealed = builder.seal(taken, envelope_for_tests(), topic);
    write_frame_in_place(memory.span().first(sealed.offset + sealed.bytes), sealed.offset, {}, {});
    // Behind the batch, and in front of the frame, nothing changed.
    const std::size_t end = sealed.offset + sealed.bytes;
    const std::size_t start = sealed.offset - in_place_headroom;
    EXPECT_EQ(std::memcmp(memory.data() + end, before.data() + end, before.size() - end), 0);
    EXPECT_EQ(std::memcmp(memory.data(), before.data(), start), 0);
    TestPool pool;
    BatchView view;
    ASSERT_EQ(verify_bytes(memory.span().subspan(sealed.offset, sealed.bytes), view, pool),
              Reject::none);
    ASSERT_EQ(view.count(), taken);
    for (std::uint32_t index = 0; index < taken; ++index) {
      EXPECT_EQ(view.entry(index).key, index);
      EXPECT_EQ(view.payload(index)[16], static_cast<std::byte>(index));
    }
  }
}

// A race between the two would show as a check sum that does not match, and under TSan.
TEST(Batch, is_sealed_by_one_thread_while_another_appends) {
  constexpr std::uint32_t slots = 512;
  TestPool pool;
  Aligned memory(BatchBuilder::bytes_needed(slots, topic.size(), slots * 32));
  std::uint64_t total = 0;
  for (int round = 0; round < 200; ++round) {
    BatchBuilder builder(memory.span(), slots, topic.size());
    queue::Tally tally;
    ASSERT_TRUE(append(builder, std::vector<std::byte>(25), 0));
    ASSERT_TRUE(tally.commit());
    std::thread producer([&] {
      for (std::uint64_t key = 1; key < slots; ++key) {
        append(builder, std::vector<std::byte>(25, static_cast<std::byte>(key)), key);
        if (!tally.commit()) return;
      }
    });
    for (int spin = 0; spin < round * 20; ++spin) (void)tally.committed();
    const std::uint32_t taken = tally.take();
    const BatchBuilder::Sealed sealed = builder.seal(taken, envelope_for_tests(), topic);
    BatchView view;
    EXPECT_EQ(verify_bytes(memory.span().subspan(sealed.offset, sealed.bytes), view, pool),
              Reject::none);
    for (std::uint32_t index = 0; index < view.count(); ++index)
      EXPECT_EQ(view.entry(index).key, index);
    total += taken;
    producer.join();
  }
  EXPECT_GE(total, 200u);
}

TEST(Batch, of_256_KiB_and_one_byte_more_are_both_legal_on_the_wire) {
  TestPool pool;
  for (const std::size_t raw : {(256u << 10) - 1, 256u << 10, (256u << 10) + 1}) {
    const std::size_t payload = raw - BatchBuilder::body_bytes(1, 0);
    BatchView view;
    const std::vector<std::byte> batch = sealed_batch({std::vector<std::byte>(payload)});
    ASSERT_EQ(verify_bytes(batch, view, pool), Reject::none);
    EXPECT_EQ(view.envelope().raw_bytes, raw);
  }
}

TEST(Batch, chunk_holds_one_part_of_a_message_counted_in_the_last) {
  TestPool pool;
  for (std::uint32_t index = 0; index < 3; ++index) {
    const std::vector<std::byte> batch =
        sealed_batch({std::vector<std::byte>(1000)}, chunk_envelope(index, 3, 3000));
    BatchView view;
    ASSERT_EQ(verify_bytes(batch, view, pool), Reject::none);
    EXPECT_EQ(view.count(), 1u);
    EXPECT_EQ(view.payload(0).size(), 1000u);
    EXPECT_EQ(view.envelope().message_count, index == 2 ? 1u : 0u);
  }
}

TEST(Batch, chunks_of_any_message_cut_into_equal_parts_are_legal) {
  TestPool pool;
  for (const std::size_t part : {1u, 7u, 512u, 65'536u}) {
    for (const std::size_t message : {part + 1, 2 * part - 1, 2 * part, 3 * part - 1, 5 * part}) {
      const auto count = static_cast<std::uint32_t>((message + part - 1) / part);
      for (std::uint32_t index = 0; index < count; ++index) {
        const std::size_t bytes = std::min(part, message - index * part);
        BatchView view;
        const Envelope envelope = chunk_envelope(index, count, message);
        ASSERT_EQ(verify_bytes(sealed_batch({std::vector<std::byte>(bytes)}, envelope,
                                            std::string(128, 't')),
                               view, pool),
                  Reject::none)
            << part << ' ' << message << ' ' << index;
        EXPECT_LE(view.buffer().bytes(), bytes + chunk_overhead_bytes);
      }
    }
  }
}

}  // namespace
}  // namespace abuzz::wire::test
