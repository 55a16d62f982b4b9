#include "bench/payload.hpp"

#include <gtest/gtest.h>

namespace abuzz::bench {
namespace {

TEST(Payload, SaysItsSourceSequenceAndMoment) {
  PayloadWriter writer(64, 7);
  const PayloadFacts facts = check_payload(writer.fill(12, true, 34), 64);
  EXPECT_TRUE(facts.is_intact);
  EXPECT_TRUE(facts.is_last);
  EXPECT_EQ(facts.source, 7u);
  EXPECT_EQ(facts.sequence, 12u);
  EXPECT_EQ(facts.intended_ns, 34);
}

TEST(Payload, HasNoMomentWhereThereIsNoRoomForOne) {
  PayloadWriter writer(payload_bytes_min);
  const PayloadFacts facts = check_payload(writer.fill(1, false, 34), payload_bytes_min);
  EXPECT_TRUE(facts.is_intact);
  EXPECT_EQ(facts.intended_ns, 0);
}

TEST(Payload, EachByteThatChangesIsFound) {
  PayloadWriter writer(1024);
  const auto sent = writer.fill(5, false);
  std::vector<std::byte> received(sent.begin(), sent.end());
  for (std::byte& value : received) {
    value ^= std::byte{1};
    EXPECT_FALSE(check_payload(received, 1024).is_intact);
    value ^= std::byte{1};
  }
  EXPECT_TRUE(check_payload(received, 1024).is_intact);
  EXPECT_FALSE(check_payload(std::span(received).first(1023), 1024).is_intact);
}

TEST(Payload, ABufferMixedFromTwoMessagesIsFound) {
  PayloadWriter writer(4096);
  const auto first = writer.fill(5, false);
  std::vector<std::byte> mixed(first.begin(), first.end());
  const auto second = writer.fill(6, false);
  std::copy(second.begin() + 2048, second.end(), mixed.begin() + 2048);
  EXPECT_FALSE(check_payload(mixed, 4096).is_intact);
}

}  // namespace
}  // namespace abuzz::bench
