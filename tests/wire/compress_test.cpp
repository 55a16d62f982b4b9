#include "bus/wire/compress.hpp"

#include <gtest/gtest.h>
#include <zstd.h>

#include "bus/base/random.hpp"
#include "tests/wire/wire_fixture.hpp"

namespace abuzz::wire::test {
namespace {

std::vector<std::byte> squeeze(std::span<const std::byte> raw) {
  std::vector<std::byte> stored(ZSTD_compressBound(raw.size()));
  stored.resize(ZSTD_compress(stored.data(), stored.size(), raw.data(), raw.size(), 1));
  return stored;
}

bool decompresses(std::span<const std::byte> stored, std::size_t raw_bytes) {
  std::vector<std::byte> output(raw_bytes);
  return decompress(stored, output);
}

const std::vector<std::byte> raw = std::vector<std::byte>(1000, std::byte{42});

TEST(Compress, gives_back_the_same_bytes) {
  std::vector<std::byte> output(raw.size());
  ASSERT_TRUE(decompress(squeeze(raw), output));
  EXPECT_EQ(output, raw);
}

TEST(Compress, content_size_must_be_exactly_what_was_promised) {
  const std::vector<std::byte> stored = squeeze(raw);
  EXPECT_FALSE(decompresses(stored, raw.size() - 1));
  EXPECT_FALSE(decompresses(stored, raw.size() + 1));
  EXPECT_FALSE(decompresses(stored, 0));
}

TEST(Compress, content_size_must_be_there) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  std::vector<std::byte> stored(ZSTD_compressBound(raw.size()));
  stored.resize(ZSTD_compress2(context, stored.data(), stored.size(), raw.data(), raw.size()));
  ZSTD_freeCCtx(context);
  EXPECT_FALSE(decompresses(stored, raw.size()));
}

TEST(Compress, there_must_be_one_frame_and_nothing_behind_it) {
  const std::vector<std::byte> stored = squeeze(raw);
  std::vector<std::byte> trailing = stored;
  trailing.push_back(std::byte{0});
  EXPECT_FALSE(decompresses(trailing, raw.size()));
  std::vector<std::byte> twice = stored;
  twice.insert(twice.end(), stored.begin(), stored.end());
  EXPECT_FALSE(decompresses(twice, raw.size()));
  EXPECT_FALSE(decompresses(twice, 2 * raw.size()));
  EXPECT_FALSE(decompresses(std::span(stored).first(stored.size() - 1), raw.size()));
}

TEST(Compress, skippable_frames_are_refused) {
  std::vector<std::byte> skippable(8 + 16);
  poke(skippable, 0, std::uint32_t{ZSTD_MAGIC_SKIPPABLE_START});
  poke(skippable, 4, std::uint32_t{16});
  EXPECT_FALSE(decompresses(skippable, 0));
  EXPECT_FALSE(decompresses(skippable, 16));
  const std::vector<std::byte> stored = squeeze(raw);
  skippable.insert(skippable.end(), stored.begin(), stored.end());
  EXPECT_FALSE(decompresses(skippable, raw.size()));
}

TEST(Compress, dictionary_ids_are_refused) {
  std::vector<std::byte> frame(9 + 3);
  poke(frame, 0, std::uint32_t{ZSTD_MAGICNUMBER});
  frame[4] = std::byte{0x23};             // single segment, dictionary id of four bytes
  poke(frame, 5, std::uint32_t{0x1234});  // the dictionary
  frame[9] = std::byte{0};                // content size 0
  frame[10] = std::byte{1};               // last block, raw, empty
  EXPECT_FALSE(decompresses(frame, 0));
}

TEST(Compress, nothing_is_not_a_frame) {
  EXPECT_FALSE(decompresses({}, 0));
  EXPECT_FALSE(decompresses(std::vector<std::byte>(3), 0));
}

// What does not shrink stays raw.
TEST(Compress, bytes_that_do_not_shrink_stay_raw) {
  TestPool pool;
  base::Random random(7);
  std::vector<std::byte> noise(320);
  for (std::byte& byte : noise) byte = static_cast<std::byte>(random.next());
  EXPECT_FALSE(try_compress(sealed_batch({noise}), pool.pool()));
  EXPECT_EQ(pool.pool().counters().bytes_out, 0u);
}

TEST(Compress, compressed_batches_are_not_compressed_again) {
  TestPool pool;
  const mem::Buffer once = try_compress(sealed_batch({std::vector<std::byte>(5000)}), pool.pool());
  ASSERT_TRUE(once);
  EXPECT_FALSE(try_compress(once.span(), pool.pool()));
  EXPECT_FALSE(try_compress(bytes_of("no batch"), pool.pool()));
}

TEST(Compress, keeps_identity_and_sets_sizes_and_checks) {
  TestPool pool;
  const std::vector<std::byte> batch = sealed_batch({std::vector<std::byte>(5000)});
  const mem::Buffer compressed = try_compress(batch, pool.pool());
  ASSERT_TRUE(compressed);
  BatchHead before;
  BatchHead after;
  ASSERT_EQ(BatchHead::parse(batch, before), Reject::none);
  ASSERT_EQ(BatchHead::parse(compressed.span(), after), Reject::none);
  EXPECT_EQ(after.envelope.codec, Codec::zstd);
  EXPECT_EQ(after.envelope.raw_bytes, before.envelope.raw_bytes);
  EXPECT_EQ(after.envelope.first_seq, before.envelope.first_seq);
  EXPECT_EQ(after.topic, before.topic);
}

TEST(CompressSampler, leaves_small_bodies_alone) {
  CompressSampler sampler;
  EXPECT_FALSE(sampler.should_try(CompressSampler::raw_bytes_min - 1));
  EXPECT_TRUE(sampler.should_try(CompressSampler::raw_bytes_min));
}

TEST(CompressSampler, probes_rarely_while_it_does_not_pay_and_resumes_when_it_does) {
  CompressSampler sampler;
  std::uint32_t tries = 0;
  for (std::uint32_t batch = 0; batch < 10 * CompressSampler::probe_interval; ++batch) {
    if (!sampler.should_try(4096)) continue;
    ++tries;
    sampler.record(4096, 4096);
  }
  EXPECT_LE(tries, 10 + CompressSampler::failures_max);
  EXPECT_GE(tries, 9u);
  while (!sampler.should_try(4096)) {
  }
  sampler.record(4096, 1000);
  for (int batch = 0; batch < 10; ++batch) {
    EXPECT_TRUE(sampler.should_try(4096));
    sampler.record(4096, 1000);
  }
}

}  // namespace
}  // namespace abuzz::wire::test
