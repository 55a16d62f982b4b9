#include <gtest/gtest.h>
#include <zstd.h>

#include <functional>
#include <utility>

#include "bus/wire/compress.hpp"
#include "bus/wire/envelope.hpp"
#include "schema/batch_generated.h"
#include "tests/wire/wire_fixture.hpp"

namespace abuzz::wire::test {
namespace {

Reject verify_bytes(std::span<const std::byte> bytes, const VerifyLimits& limits = {}) {
  TestPool pool;
  BatchView view;
  const Reject reject = verify(pool.put(bytes), pool.pool(), limits, view);
  EXPECT_EQ(view.count() == 0, reject != Reject::none);
  return reject;
}

std::size_t body_offset(const std::vector<std::byte>& batch) {
  return peek<std::uint16_t>(batch, offsetof(Envelope, body_offset));
}

// A batch around a body that another program may have built.
std::vector<std::byte> batch_around(std::span<const std::byte> body, std::uint32_t messages) {
  Envelope envelope = envelope_for_tests();
  envelope.message_count = messages;
  envelope.stored_bytes = envelope.raw_bytes = static_cast<std::uint32_t>(body.size());
  std::vector<std::byte> batch(body_offset_of(topic.size()) + body.size());
  std::memcpy(batch.data() + body_offset_of(topic.size()), body.data(), body.size());
  write_envelope(batch.data(), envelope, topic);
  return batch;
}

// The same, around stored bytes of zstd that claim to be `raw_bytes`.
std::vector<std::byte> zstd_batch_around(std::span<const std::byte> stored,
                                         std::uint32_t raw_bytes) {
  Envelope envelope = envelope_for_tests();
  envelope.codec = Codec::zstd;
  envelope.message_count = 1;
  envelope.stored_bytes = static_cast<std::uint32_t>(stored.size());
  envelope.raw_bytes = raw_bytes;
  std::vector<std::byte> batch(body_offset_of(topic.size()) + stored.size());
  std::memcpy(batch.data() + body_offset_of(topic.size()), stored.data(), stored.size());
  write_envelope(batch.data(), envelope, topic);
  return batch;
}

std::vector<std::byte> zeros_batch(std::size_t payload_bytes) {
  return sealed_batch({std::vector<std::byte>(payload_bytes)});
}

// The slice may stand at any address, the view never does.
TEST(Verify, misaligned_slices_are_brought_into_an_aligned_buffer) {
  const std::vector<std::byte> batch = three_messages();
  for (std::size_t shift = 0; shift < 32; ++shift) {
    TestPool pool;
    BatchView view;
    mem::Buffer slice = pool.put(batch, shift);
    const std::byte* const where = slice.data();
    ASSERT_EQ(verify(std::move(slice), pool.pool(), {}, view), Reject::none);
    EXPECT_EQ(view.buffer().data() == where, shift % 8 == 0);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.payload(1).data()) % 8, 0u);
    EXPECT_EQ(view.topic(), topic);
    const char* const topic_at = view.topic().data();
    EXPECT_EQ(static_cast<const void*>(topic_at), view.buffer().data() + sizeof(Envelope));
  }
}

TEST(Verify, releases_the_slice_when_it_refuses) {
  TestPool pool;
  BatchView view;
  std::vector<std::byte> batch = three_messages();
  batch.back() ^= std::byte{1};
  ASSERT_EQ(verify(pool.put(batch), pool.pool(), {}, view), Reject::body_check);
  EXPECT_EQ(view.count(), 0u);
  EXPECT_EQ(pool.pool().counters().bytes_out, 0u);
}

TEST(Verify, compressed_batches_are_read_back) {
  TestPool pool;
  const std::vector<std::byte> batch = zeros_batch(10'000);
  mem::Buffer compressed = try_compress(batch, pool.pool());
  ASSERT_TRUE(compressed);
  EXPECT_LT(compressed.bytes(), batch.size() / 10);
  for (const std::size_t shift : {0, 1}) {
    BatchView view;
    ASSERT_EQ(verify(pool.put(compressed.span(), shift), pool.pool(), {}, view), Reject::none);
    EXPECT_EQ(view.payload(0).size(), 10'000u);
    EXPECT_EQ(view.envelope().codec, Codec::zstd);
    EXPECT_EQ(view.topic(), topic);
  }
}

TEST(Verify, every_flipped_byte_of_a_batch_is_refused) {
  TestPool pool;
  const std::vector<std::byte> raw = three_messages();
  const mem::Buffer compressed = try_compress(zeros_batch(2000), pool.pool());
  const std::vector<std::byte> small(compressed.span().begin(), compressed.span().end());
  for (const std::vector<std::byte>& batch : {raw, small}) {
    ASSERT_EQ(verify_bytes(batch), Reject::none);
    for (std::size_t at = 0; at < batch.size(); ++at) {
      for (const std::byte bits : {std::byte{1}, std::byte{0x80}, std::byte{0xff}}) {
        std::vector<std::byte> flipped = batch;
        flipped[at] ^= bits;
        EXPECT_NE(verify_bytes(flipped), Reject::none) << "byte " << at;
      }
    }
  }
}

// A hostile sender sets the check sums right: then nothing but the verifier stands in the way.
TEST(Verify, every_flipped_byte_under_a_right_check_sum_is_refused_or_harmless) {
  const std::vector<std::byte> batch = three_messages();
  TestPool pool;
  for (std::size_t at = body_offset(batch); at < batch.size(); ++at) {
    for (int bits = 1; bits < 256; ++bits) {
      std::vector<std::byte> flipped = batch;
      flipped[at] ^= static_cast<std::byte>(bits);
      fix_body_check(flipped);
      BatchView view;
      if (verify(pool.put(flipped), pool.pool(), {}, view) != Reject::none) continue;
      ASSERT_EQ(view.count(), 3u);
      const std::span<const std::byte> bytes = view.buffer().span();
      for (std::uint32_t index = 0; index < view.count(); ++index) {
        const std::span<const std::byte> payload = view.payload(index);
        EXPECT_GE(payload.data(), bytes.data());
        EXPECT_LE(payload.data() + payload.size(), bytes.data() + bytes.size());
      }
    }
  }
}

TEST(Verify, without_a_buffer_it_is_not_the_senders_fault) {
  TestPool pool;
  mem::ProcessMemory memory;
  const mem::SizeClass tiny[] = {{64, 1, 1}};
  mem::Pool empty(tiny, memory);
  BatchView view;
  EXPECT_EQ(verify(pool.put(three_messages(), 1), empty, {}, view), Reject::no_buffer);
}

// Offsets in structs are invisible to the FlatBuffers verifier.
struct Falsified {
  const char* what;
  Reject expected;
  std::function<void(MessageEntry&)> change;
};
std::string name_of(const testing::TestParamInfo<Falsified>& info) {
  return info.param.what;
}
class FalsifiedEntry : public testing::TestWithParam<Falsified> {};

TEST_P(FalsifiedEntry, is_refused_for_the_field_that_lies) {
  std::vector<std::byte> batch = three_messages();
  const std::size_t second = body_offset(batch) + 40 + sizeof(MessageEntry);
  MessageEntry entry = peek<MessageEntry>(batch, second);
  ASSERT_EQ(entry.offset, 8u);
  GetParam().change(entry);
  poke(batch, second, entry);
  fix_body_check(batch);
  EXPECT_EQ(verify_bytes(batch), GetParam().expected);
}

using M = MessageEntry;
INSTANTIATE_TEST_SUITE_P(
    Verify, FalsifiedEntry,
    testing::Values(
        Falsified{"offset_misaligned", Reject::message_bounds, [](M& m) { m.offset = 12; }},
        Falsified{"offset_past_the_blob", Reject::message_bounds, [](M& m) { m.offset = 4096; }},
        Falsified{"offset_on_the_first", Reject::message_bounds, [](M& m) { m.offset = 0; }},
        Falsified{"bytes_into_the_next", Reject::message_bounds, [](M& m) { m.bytes = 25; }},
        Falsified{"bytes_up_to_the_next", Reject::none, [](M& m) { m.bytes = 24; }},
        Falsified{"bytes_past_the_blob", Reject::message_bounds,
                  [](M& m) { m.bytes = 0xffff'ffff; }},
        Falsified{"end_wraps", Reject::message_bounds,
                  [](M& m) {
                    m.offset = 0xffff'fff8;
                    m.bytes = 16;
                  }},
        Falsified{"kind_failed", Reject::none, [](M& m) { m.flags = 0x500; }},
        Falsified{"kind_unknown", Reject::message_flags, [](M& m) { m.flags = 0x600; }},
        Falsified{"flag_high", Reject::message_flags, [](M& m) { m.flags = 0x8000; }},
        Falsified{"flag_low", Reject::none, [](M& m) { m.flags = 0xff; }},
        Falsified{"extra_without_extras", Reject::message_bounds, [](M& m) { m.extra = 1; }}),
    name_of);

TEST(Verify, payload_past_the_end_of_the_blob_is_refused) {
  std::vector<std::byte> batch = three_messages();
  const std::size_t last = body_offset(batch) + 40 + 2 * sizeof(MessageEntry);
  MessageEntry entry = peek<MessageEntry>(batch, last);
  ++entry.bytes;
  poke(batch, last, entry);
  fix_body_check(batch);
  EXPECT_EQ(verify_bytes(batch), Reject::message_bounds);
}

TEST(Verify, messages_must_be_as_many_as_the_envelope_says) {
  std::vector<std::byte> batch = three_messages();
  poke(batch, offsetof(Envelope, message_count), std::uint32_t{2});
  fix_envelope_check(batch);
  EXPECT_EQ(verify_bytes(batch), Reject::counts);
}

TEST(Verify, chunk_with_two_messages_or_more_bytes_than_its_message_is_refused) {
  std::vector<std::byte> batch = three_messages();
  Envelope envelope = chunk_envelope(0, 2, 1000);
  envelope.message_count = 0;
  envelope.stored_bytes = envelope.raw_bytes =
      static_cast<std::uint32_t>(batch.size() - body_offset(batch));
  write_envelope(batch.data(), envelope, topic);
  EXPECT_EQ(verify_bytes(batch), Reject::counts);
  EXPECT_EQ(verify_bytes(sealed_batch({std::vector<std::byte>(101)}, chunk_envelope(0, 2, 100))),
            Reject::chunk);
  EXPECT_EQ(verify_bytes(sealed_batch({std::vector<std::byte>(0)}, chunk_envelope(0, 2, 100))),
            Reject::chunk);
}

TEST(Verify, body_that_is_no_flatbuffer_is_refused) {
  const std::vector<std::byte> batch = three_messages();
  const std::size_t body = body_offset(batch);
  const std::pair<std::size_t, std::uint32_t> lies[] = {
      {body, 0xffff'fff0},       // root far away
      {body + 4, 0x0033'3241},   // another file identifier
      {body + 20, 0xffff'0000},  // vtable far away
      {body + 24, 0xffff'0000},  // messages far away
      {body + 36, 0x7fff'ffff},  // more entries than there are bytes
      {body + 32, 2},            // another version
  };
  for (const auto& [offset, value] : lies) {
    std::vector<std::byte> wrong = batch;
    poke(wrong, offset, value);
    fix_body_check(wrong);
    EXPECT_EQ(verify_bytes(wrong), Reject::flatbuffer) << offset - body;
  }
}

// A body as the stock builder of any language makes it; fields of later use included.
std::vector<std::byte> stock_body(std::uint32_t trace_index, std::uint32_t headers_bytes,
                                  std::size_t front_padding) {
  flatbuffers::FlatBufferBuilder builder;
  builder.ForceVectorAlignment(64, 1, 16);
  const std::vector<std::uint8_t> payload(64, 9);
  const auto blob = builder.CreateVector(payload);
  const std::vector<std::uint8_t> filler(front_padding);
  const auto headers = builder.CreateVector(std::vector<std::uint8_t>(20 + front_padding));
  const fb::Message entries[] = {{0, 64, 0, 0, 1, 5, 6}};
  const auto messages = builder.CreateVectorOfStructs(entries, 1);
  const fb::Extra extra[] = {{0, headers_bytes, trace_index, 0}};
  const auto extras = builder.CreateVectorOfStructs(extra, 1);
  const fb::Trace trace[] = {{1, 2, 3, 4}};
  const auto traces = builder.CreateVectorOfStructs(trace, 1);
  const auto type = builder.CreateString("application/json");
  fb::FinishBatchBuffer(
      builder, fb::CreateBatch(builder, 1, messages, blob, extras, headers, traces, type, 77));
  const auto* const start = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return {start, start + builder.GetSize()};
}

TEST(Verify, reads_what_the_stock_builder_made_when_it_is_aligned_from_the_front) {
  std::size_t accepted = 0;
  for (std::size_t padding = 0; padding < 16; ++padding) {
    // The stock builder aligns from the end: whether the front fits is chance, or care.
    const Reject reject = verify_bytes(batch_around(stock_body(1, 20, padding), 1));
    EXPECT_TRUE(reject == Reject::none || reject == Reject::flatbuffer) << reject_name(reject);
    accepted += reject == Reject::none ? 1 : 0;
  }
  EXPECT_GT(accepted, 0u);
}

TEST(Verify, extras_out_of_range_are_refused) {
  ASSERT_EQ(verify_bytes(batch_around(stock_body(1, 20, 0), 1)), Reject::none);
  EXPECT_EQ(verify_bytes(batch_around(stock_body(2, 20, 0), 1)), Reject::message_bounds);
  EXPECT_EQ(verify_bytes(batch_around(stock_body(1, 21, 0), 1)), Reject::message_bounds);
}

TEST(Verify, more_raw_bytes_than_the_limit_are_refused_before_a_buffer_is_taken) {
  const std::vector<std::byte> batch = zeros_batch(1000);
  const std::uint32_t raw = peek<std::uint32_t>(batch, offsetof(Envelope, raw_bytes));
  EXPECT_EQ(verify_bytes(batch, {.raw_bytes_max = raw}), Reject::none);
  EXPECT_EQ(verify_bytes(batch, {.raw_bytes_max = raw - 1}), Reject::raw_too_large);
}

// Zeros compress 32,692 to 1.
TEST(Verify, compression_past_the_ratio_is_refused) {
  TestPool pool;
  const std::vector<std::byte> batch = zeros_batch(200'000);
  const mem::Buffer compressed = try_compress(batch, pool.pool());
  ASSERT_TRUE(compressed);
  const std::vector<std::byte> bytes(compressed.span().begin(), compressed.span().end());
  EXPECT_EQ(verify_bytes(bytes), Reject::raw_too_large);
  EXPECT_EQ(verify_bytes(bytes, {.ratio_max = 100'000}), Reject::none);
}

// Thirteen bytes that claim to be 7 EB.
TEST(Verify, frame_that_claims_exabytes_is_refused_without_an_allocation) {
  std::vector<std::byte> bomb(13);
  poke(bomb, 0, std::uint32_t{ZSTD_MAGICNUMBER});
  bomb[4] = std::byte{0xe0};  // single segment, content size of eight bytes
  poke(bomb, 5, std::uint64_t{7'000'000'000'000'000'000});
  EXPECT_EQ(verify_bytes(zstd_batch_around(bomb, 2000)), Reject::decompress);
  EXPECT_EQ(verify_bytes(zstd_batch_around(bomb, 4u << 20)), Reject::raw_too_large);
}

TEST(Verify, garbage_under_a_right_check_sum_is_refused) {
  EXPECT_EQ(verify_bytes(zstd_batch_around(bytes_of("this is not zstd"), 200)), Reject::decompress);
}

}  // namespace
}  // namespace abuzz::wire::test
