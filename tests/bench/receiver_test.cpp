#include "bench/receiver.hpp"

#include <gtest/gtest.h>

// What is wrong with a run must be seen by its receiver: these runs have one thing wrong each.

namespace abuzz::bench {
namespace {

constexpr std::size_t bytes = 64;

class ReceiverTest : public ::testing::Test {
 protected:
  void send(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t sequence = first; sequence <= last; ++sequence)
      receiver_.take(writer_.fill(sequence, false));
  }

  PayloadWriter writer_{bytes};
  Receiver receiver_{bytes, 1, false};
};

TEST_F(ReceiverTest, EverythingInOrderIsVerified) {
  send(1, 1000);
  const RoleReport report = receiver_.finish({{1000}});
  EXPECT_EQ(report.received, 1000u);
  EXPECT_EQ(report.lost + report.reordered + report.doubled + report.corrupt, 0u);
}

TEST_F(ReceiverTest, OneLostInAMillionIsCaught) {
  send(1, 400'000);
  send(400'002, 1'000'000);
  const RoleReport report = receiver_.finish({{1'000'000}});
  EXPECT_EQ(report.received, 999'999u);
  EXPECT_EQ(report.lost, 1u);
}

TEST_F(ReceiverTest, TheLastOnesLostAreCaught) {
  send(1, 99);
  EXPECT_EQ(receiver_.finish({{100}}).lost, 1u);
}

TEST_F(ReceiverTest, AReorderIsCaughtAndIsNoLoss) {
  send(1, 4);
  send(6, 6);
  send(5, 5);
  send(7, 10);
  const RoleReport report = receiver_.finish({{10}});
  EXPECT_EQ(report.reordered, 1u);
  EXPECT_EQ(report.lost, 0u);
  EXPECT_EQ(report.received, 10u);
}

TEST_F(ReceiverTest, ADoubleIsCaught) {
  send(1, 5);
  send(5, 10);
  EXPECT_EQ(receiver_.finish({{10}}).doubled, 1u);
}

TEST_F(ReceiverTest, OneCorruptedByteIsCaught) {
  send(1, 5);
  const auto sent = writer_.fill(6, false);
  std::vector<std::byte> received(sent.begin(), sent.end());
  received[40] ^= std::byte{4};
  receiver_.take(received);
  send(7, 10);
  const RoleReport report = receiver_.finish({{10}});
  EXPECT_EQ(report.corrupt, 1u);
  EXPECT_EQ(report.lost, 1u);
}

TEST_F(ReceiverTest, SourcesAreAccountedForOneByOne) {
  Receiver both(bytes, 2, false);
  PayloadWriter other(bytes, 1);
  for (std::uint64_t sequence = 1; sequence <= 10; ++sequence) {
    both.take(writer_.fill(sequence, false));
    if (sequence != 3) both.take(other.fill(sequence, false));
  }
  const RoleReport report = both.finish({{10, 10}});
  EXPECT_EQ(report.received, 19u);
  EXPECT_EQ(report.lost, 1u);
}

TEST_F(ReceiverTest, AStrangersMessageIsNotCounted) {
  PayloadWriter stranger(bytes, 5);
  receiver_.take(stranger.fill(1, false));
  EXPECT_EQ(receiver_.finish({{0}}).corrupt, 1u);
}

// A receiver that stands still for 50 ms: what was to arrive meanwhile is late, although nobody
// measured anything during the stall.
TEST_F(ReceiverTest, AStallOfFiftyMillisecondsIsInTheTail) {
  Receiver timed(bytes, 1, true);
  constexpr std::int64_t stall_ns = 50 * millisecond_ns;
  const std::int64_t now = now_ns();
  for (std::uint64_t sequence = 1; sequence <= 10'000; ++sequence) {
    const bool is_stalled = sequence > 5000 && sequence <= 5050;
    timed.take(writer_.fill(sequence, false, now_ns() - (is_stalled ? stall_ns : 0)));
  }
  const RoleReport report = timed.finish({{10'000}});
  EXPECT_GE(report.p999_ns, static_cast<std::uint64_t>(stall_ns));
  EXPECT_LT(report.p50_ns, static_cast<std::uint64_t>(stall_ns));
  EXPECT_GT(report.first_ns, static_cast<std::uint64_t>(now));
}

TEST(RoleReportLine, ComesBackAsItWentOut) {
  Histogram histogram;
  for (std::int64_t value = 1; value < 100'000; value += 7) histogram.record(value);
  RoleReport report;
  report.event = "done";
  report.text = "a \"remark\"";
  report.received = 12;
  report.take(histogram);
  RoleReport back;
  ASSERT_TRUE(decode(encode(report), back));
  EXPECT_EQ(back.event, report.event);
  EXPECT_EQ(back.text, report.text);
  EXPECT_EQ(back.received, 12u);
  EXPECT_EQ(back.p99_ns, report.p99_ns);
  EXPECT_EQ(back.buckets, report.buckets);
  RoleReport none;
  EXPECT_FALSE(decode("nonsense", none));
}

TEST(RoleOptionsLine, ComesBackAsItWentOut) {
  RoleOptions options;
  options.system = "zmq";
  options.role = "publisher";
  options.directory = "/tmp/a directory, with a comma";
  options.endpoint = "nats://127.0.0.1:1";
  options.rate = 12.5;
  options.source = 3;
  options.sources = 4;
  options.sinks = 2;
  RoleOptions back;
  ASSERT_TRUE(decode(encode(options), back));
  EXPECT_EQ(back.directory, options.directory);
  EXPECT_EQ(back.endpoint, options.endpoint);
  EXPECT_EQ(back.rate, options.rate);
  EXPECT_EQ(back.source, 3u);
  EXPECT_EQ(back.sources, 4u);
  EXPECT_EQ(back.sinks, 2u);
  EXPECT_FALSE(decode("zmq,publisher", back));
  EXPECT_FALSE(decode("{}", back));
}

}  // namespace
}  // namespace abuzz::bench
