#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "tests/wire/wire_fixture.hpp"

namespace abuzz::wire::test {
namespace {

Reject parse(const std::vector<std::byte>& batch) {
  BatchHead head;
  return BatchHead::parse(batch, head);
}

// The batch with a changed envelope, its check sum set right.
Reject parse_changed(std::vector<std::byte> batch, const std::function<void(Envelope&)>& change) {
  Envelope envelope = peek<Envelope>(batch, 0);
  change(envelope);
  poke(batch, 0, envelope);
  fix_envelope_check(batch);
  return parse(batch);
}

TEST(BatchHead, tells_envelope_topic_and_size) {
  const std::vector<std::byte> batch = three_messages();
  BatchHead head;
  ASSERT_EQ(BatchHead::parse(batch, head), Reject::none);
  EXPECT_EQ(head.topic, topic);
  EXPECT_EQ(head.batch_bytes, batch.size());
  EXPECT_EQ(head.envelope.agent_id, envelope_for_tests().agent_id);
  EXPECT_EQ(head.envelope.message_count, 3u);
}

TEST(BatchHead, must_be_the_whole_batch_and_nothing_else) {
  std::vector<std::byte> batch = three_messages();
  batch.push_back(std::byte{0});
  EXPECT_EQ(parse(batch), Reject::envelope_sizes);
  while (!batch.empty()) {
    batch.pop_back();
    if (batch.size() == three_messages().size()) continue;
    EXPECT_EQ(parse(batch), batch.size() < 128 ? Reject::too_short : Reject::envelope_sizes);
  }
}

TEST(BatchHead, every_flipped_bit_of_envelope_and_topic_is_refused) {
  const std::vector<std::byte> batch = three_messages();
  for (std::size_t bit = 0; bit < (128 + 16) * 8; ++bit) {
    std::vector<std::byte> flipped = batch;
    flipped[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_NE(parse(flipped), Reject::none) << "bit " << bit;
  }
}

struct Falsified {
  const char* what;
  Reject expected;
  std::function<void(Envelope&)> change;
};
std::string name_of(const testing::TestParamInfo<Falsified>& info) {
  return info.param.what;
}
class FalsifiedEnvelope : public testing::TestWithParam<Falsified> {};

TEST_P(FalsifiedEnvelope, is_refused_for_the_field_that_lies) {
  const Reject reject = parse_changed(three_messages(), GetParam().change);
  EXPECT_EQ(reject, GetParam().expected) << reject_name(reject);
}

using E = Envelope;
constexpr std::uint64_t seq_max = std::numeric_limits<std::uint64_t>::max();
INSTANTIATE_TEST_SUITE_P(
    BatchHead, FalsifiedEnvelope,
    testing::Values(
        Falsified{"magic", Reject::envelope_magic, [](E& e) { e.magic ^= 1; }},
        Falsified{"version_0", Reject::envelope_version, [](E& e) { e.version = 0; }},
        Falsified{"version_2", Reject::envelope_version, [](E& e) { e.version = 2; }},
        Falsified{"envelope_bytes", Reject::header_bytes, [](E& e) { e.envelope_bytes = 136; }},
        Falsified{"lane_control", Reject::lane, [](E& e) { e.lane = Lane::control; }},
        Falsified{"lane_4", Reject::lane, [](E& e) { e.lane = Lane{4}; }},
        Falsified{"codec_2", Reject::codec, [](E& e) { e.codec = Codec{2}; }},
        Falsified{"codec_zstd_of_the_same_size", Reject::envelope_sizes,
                  [](E& e) { e.codec = Codec::zstd; }},
        Falsified{"topic_bytes_0", Reject::topic, [](E& e) { e.topic_bytes = 0; }},
        Falsified{"topic_bytes_161", Reject::topic, [](E& e) { e.topic_bytes = 161; }},
        Falsified{"topic_bytes_17", Reject::envelope_sizes, [](E& e) { e.topic_bytes = 17; }},
        Falsified{"topic_bytes_14", Reject::reserved_not_zero, [](E& e) { e.topic_bytes = 14; }},
        Falsified{"topic_bytes_16", Reject::topic_hash, [](E& e) { e.topic_bytes = 16; }},
        Falsified{"topic_hash", Reject::topic_hash, [](E& e) { e.topic_hash ^= 1; }},
        Falsified{"flag_high", Reject::envelope_flags, [](E& e) { e.flags = 1u << 18; }},
        Falsified{"flag_low", Reject::none, [](E& e) { e.flags = 0xffff; }},
        Falsified{"body_offset", Reject::envelope_sizes, [](E& e) { e.body_offset += 16; }},
        Falsified{"stored_bytes", Reject::envelope_sizes, [](E& e) { e.stored_bytes += 1; }},
        Falsified{"raw_bytes", Reject::envelope_sizes, [](E& e) { e.raw_bytes += 1; }},
        Falsified{"count_0", Reject::counts, [](E& e) { e.message_count = 0; }},
        Falsified{"count_4095", Reject::none, [](E& e) { e.message_count = 4095; }},
        Falsified{"count_4096", Reject::none, [](E& e) { e.message_count = 4096; }},
        Falsified{"count_4097", Reject::counts, [](E& e) { e.message_count = 4097; }},
        Falsified{"seq_0", Reject::counts, [](E& e) { e.first_seq = 0; }},
        Falsified{"seq_last", Reject::none, [](E& e) { e.first_seq = seq_max - 3; }},
        Falsified{"seq_wraps", Reject::counts, [](E& e) { e.first_seq = seq_max - 2; }},
        Falsified{"chunk_index", Reject::chunk, [](E& e) { e.chunk_index = 1; }},
        Falsified{"chunk_count", Reject::chunk, [](E& e) { e.chunk_count = 1; }},
        Falsified{"message_bytes", Reject::chunk, [](E& e) { e.message_bytes = 1; }},
        Falsified{"last_without_chunk", Reject::chunk, [](E& e) { e.flags = batch_last_chunk; }},
        Falsified{"reserved0", Reject::reserved_not_zero, [](E& e) { e.reserved0 = 1; }},
        Falsified{"reserved1", Reject::reserved_not_zero, [](E& e) { e.reserved1 = 1; }}),
    name_of);

class FalsifiedChunk : public testing::TestWithParam<Falsified> {};

TEST_P(FalsifiedChunk, is_refused_for_the_field_that_lies) {
  const std::vector<std::byte> chunk =
      sealed_batch({std::vector<std::byte>(500)}, chunk_envelope(2, 3, 1500));
  ASSERT_EQ(parse(chunk), Reject::none);
  const Reject reject = parse_changed(chunk, GetParam().change);
  EXPECT_EQ(reject, GetParam().expected) << reject_name(reject);
}

INSTANTIATE_TEST_SUITE_P(
    BatchHead, FalsifiedChunk,
    testing::Values(
        Falsified{"last_counts_none", Reject::counts, [](E& e) { e.message_count = 0; }},
        Falsified{"last_counts_two", Reject::counts, [](E& e) { e.message_count = 2; }},
        Falsified{"last_without_flag", Reject::chunk, [](E& e) { e.flags = batch_chunk; }},
        Falsified{"flag_before_last", Reject::chunk, [](E& e) { e.chunk_index = 1; }},
        Falsified{"index_past_count", Reject::chunk, [](E& e) { e.chunk_index = 3; }},
        Falsified{"middle_counts_one", Reject::counts,
                  [](E& e) {
                    e.chunk_index = 1;
                    e.flags = batch_chunk;
                  }},
        Falsified{"count_0", Reject::chunk, [](E& e) { e.chunk_count = 0; }},
        Falsified{"more_chunks_than_bytes", Reject::chunk,
                  [](E& e) {
                    e.chunk_count = 1501;
                    e.chunk_index = 1500;
                  }},
        Falsified{"message_of_nothing", Reject::chunk, [](E& e) { e.message_bytes = 0; }},
        Falsified{"message_of_16_MiB", Reject::none, [](E& e) { e.message_bytes = 16u << 20; }},
        Falsified{"message_past_16_MiB", Reject::chunk,
                  [](E& e) { e.message_bytes = (16u << 20) + 1; }},
        Falsified{"longer_than_its_share", Reject::chunk,
                  [](E& e) {
                    e.chunk_count = 31;
                    e.chunk_index = 30;
                  }},
        Falsified{"chunk_larger_than_its_message", Reject::chunk,
                  [](E& e) { e.message_bytes = 100; }}),
    name_of);

TEST(BatchHead, topics_with_wrong_characters_are_refused_though_the_hash_is_right) {
  for (const char* name :
       {"docs.new.r port", "docs.new.r*port", "docs..new.repor", "docs.new.repor.",
        "docs.new.re/ort", ".ocs.new.report", "docs.new.rep\x01rt"}) {
    std::vector<std::byte> batch = three_messages();
    std::memcpy(batch.data() + 128, name, topic.size());
    poke(batch, offsetof(Envelope, topic_hash), hash64(name, topic.size()));
    fix_envelope_check(batch);
    EXPECT_EQ(parse(batch), Reject::topic) << name;
  }
}

TEST(BatchHead, topics_are_taken_up_to_their_limits) {
  const std::vector<std::vector<std::byte>> payload{bytes_of("x")};
  const auto parse_topic = [&](const std::string& name) {
    return parse(sealed_batch(payload, envelope_for_tests(), name));
  };
  EXPECT_EQ(parse_topic(std::string(1, 'a')), Reject::none);
  EXPECT_EQ(parse_topic(std::string(128, 'a')), Reject::none);
  EXPECT_EQ(parse_topic(std::string(129, 'a')), Reject::topic);
  EXPECT_EQ(parse_topic("$" + std::string(159, 'a')), Reject::none);
  EXPECT_EQ(parse_topic("a.b.c.d.e.f.g.h"), Reject::none);
  EXPECT_EQ(parse_topic("a.b.c.d.e.f.g.h.i"), Reject::topic);
}

}  // namespace
}  // namespace abuzz::wire::test
