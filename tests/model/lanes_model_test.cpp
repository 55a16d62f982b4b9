#include <gtest/gtest.h>

#include <vector>

#include "tests/model/simulated_bus.hpp"

// Lanes from end to end: real agents and a real node in one thread.

namespace abuzz::testing {
namespace {

constexpr base::Nanos tick = 100 * base::microsecond;
constexpr std::size_t large = base::mib;

class LanesModel : public ::testing::Test {
 protected:
  LanesModel() : node_({}, false, 1) {
    node_.network().set_faults({10 * base::microsecond, 100 * base::microsecond, 0});
    publisher_.add_publisher("lane.high", {.lane = Lane::high});
    publisher_.add_publisher("lane.bulk", {.lane = Lane::bulk});
    advance(400);
  }
  void advance(std::size_t steps = 1) {
    for (std::size_t step = 0; step < steps; ++step) {
      node_.clock().advance(tick);
      node_.step(1);
      publisher_.step();
      subscriber_.step();
      node_.step(1);
    }
  }
  // As much as it is let.
  void saturate(std::size_t publisher, std::size_t bytes) {
    while (publisher_.publish(publisher, bytes) == SendStatus::queued) {
    }
  }
  std::uint64_t bulk_ahead(client::AgentCore& core) {
    return core.stats().process().get(ProcessCounter::bulk_ahead_bytes);
  }

  Trace trace_;
  Config config_;
  mem::ProcessMemory memory_;
  mem::Pool pool_{agent_classes, memory_};
  node::test::LoopNode node_;
  SimulatedAgent publisher_{node_, pool_, config_, "publisher", 2, trace_};
  SimulatedAgent subscriber_{node_, pool_, config_, "subscriber", 3, trace_};
};

TEST_F(LanesModel, a_high_message_passes_megabytes_of_bulk_and_bulk_is_whole) {
  Seen& bulk = subscriber_.add_subscription("lane.bulk");
  Seen& high = subscriber_.add_subscription("lane.high");
  advance(100);
  for (std::uint64_t round = 1; round <= 50; ++round) {
    saturate(1, large);
    advance(5);
    saturate(1, large);
    ASSERT_EQ(publisher_.publish(0, 100), SendStatus::queued);
    const std::uint64_t before = bulk.messages;
    std::size_t steps = 0;
    while (high.messages < round && ++steps < 1000) advance();
    ASSERT_EQ(high.messages, round);
    // It would be some eight if it had to wait for what was queued before it.
    EXPECT_LE(bulk.messages - before, 2u) << round;
  }
  advance(2000);
  EXPECT_GT(bulk.messages, 5u);
  EXPECT_EQ(bulk.messages, publisher_.publisher(1).pushed());
  EXPECT_EQ(bulk.disorder + bulk.corrupt + high.disorder + high.corrupt, 0u);
  EXPECT_GT(bulk_ahead(publisher_.core()), 0u);
  EXPECT_LE(bulk_ahead(publisher_.core()), 256 * base::kib);
  EXPECT_GT(node_.count(ProcessCounter::bulk_ahead_bytes), 0u);
  EXPECT_LE(node_.count(ProcessCounter::bulk_ahead_bytes), 256 * base::kib);
}

TEST_F(LanesModel, bulk_goes_on_beside_a_high_lane_that_is_never_empty) {
  Seen& all = subscriber_.add_subscription("lane.>");
  advance(100);
  saturate(1, 1000);
  const std::uint64_t bulk_pushed = publisher_.publisher(1).pushed();
  for (int step = 0; step < 3000; ++step) {
    saturate(0, 1000);
    advance();
  }
  std::uint64_t bulk = 0;
  for (const auto& [stream, seen] : all.streams)
    if (seen.count <= bulk_pushed) bulk += seen.count;
  EXPECT_GT(bulk, 0u);
  EXPECT_EQ(all.disorder + all.corrupt, 0u);
}

TEST_F(LanesModel, one_subscription_gets_both_lanes_and_loses_nothing_when_links_are_cut) {
  Seen& all = subscriber_.add_subscription("lane.>");
  advance(100);
  for (int round = 0; round < 30; ++round) {
    saturate(1, large / 4);
    (void)publisher_.publish(0, 100);
    advance(20);
    if (round % 5 == 4) node_.network().cut_links();
  }
  advance(5000);
  EXPECT_EQ(all.messages, publisher_.publisher(0).pushed() + publisher_.publisher(1).pushed());
  EXPECT_EQ(all.disorder + all.corrupt, 0u);
}

}  // namespace
}  // namespace abuzz::testing
