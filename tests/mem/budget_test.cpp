#include "bus/mem/budget.hpp"

#include <gtest/gtest.h>

#include <bit>

namespace abuzz::mem {
namespace {

NodeConfig node_with(std::uint64_t budget_bytes) {
  NodeConfig node;
  node.memory_budget_bytes = budget_bytes;
  return node;
}

using base::kib;
using base::mib;

void expect_usable(const std::vector<SizeClass>& classes, const LimitsConfig& limits) {
  ASSERT_FALSE(classes.empty());
  ASSERT_LE(classes.size(), 16u);
  std::uint32_t bytes_before = 0;
  for (const SizeClass& one : classes) {
    EXPECT_GT(one.block_bytes, bytes_before);
    bytes_before = one.block_bytes;
    EXPECT_LE(one.count_initial, one.count_max);
    EXPECT_LT(one.count_max, (1u << 24) - 1);
    EXPECT_EQ(one.count_initial & (one.count_initial - 1), 0u) << "slabs divide it";
  }
  // The largest payload with its surroundings, and a whole decompressed batch.
  EXPECT_GE(classes.back().block_bytes, limits.payload_bytes_max + 64 * kib);
  EXPECT_GE(classes.back().block_bytes, 4 * mib);
  EXPECT_GE(classes.back().count_max, 1u);
}

TEST(Budget, TheDefaultsAreTheOnesThatWereMeant) {
  const std::vector<SizeClass> classes = agent_classes(LimitsConfig{}, LinkConfig{});
  ASSERT_EQ(classes.size(), 7u);
  const std::uint32_t bytes[] = {
      512, 4 * kib, 16 * kib, 80 * kib, 320 * kib, 1 * mib + 128 * kib, 4 * mib + 64 * kib};
  const std::uint32_t counts[] = {256, 256, 128, 64, 32, 4, 0};
  for (std::size_t index = 0; index < classes.size(); ++index) {
    EXPECT_EQ(classes[index].block_bytes, bytes[index]);
    EXPECT_EQ(classes[index].count_initial, counts[index]) << bytes[index];
  }
  EXPECT_LT(bytes_initial(classes), 32 * mib);
}

TEST(Budget, StaysWithinItsBytesForAnyConfig) {
  for (const std::uint32_t payload : {1u, 64u << 10, 1u << 20, 16u << 20}) {
    for (const std::uint32_t window : {128u << 10, 512u << 10, 16u << 20}) {
      const LimitsConfig limits{.payload_bytes_max = payload};
      const LinkConfig link{
          .window_high_bytes = window, .window_normal_bytes = window, .window_bulk_bytes = window};
      const std::vector<SizeClass> agent = agent_classes(limits, link);
      expect_usable(agent, limits);
      EXPECT_LE(bytes_max(agent), agent_budget_bytes);
      for (const std::uint64_t budget : {16 * mib, 512 * mib, std::size_t{1} << 40}) {
        const std::vector<SizeClass> node = node_classes(node_with(budget), limits, link);
        expect_usable(node, limits);
        const std::uint64_t floor = 2 * payload + 8 * mib;  // one block of each large class
        EXPECT_LE(bytes_max(node), std::max<std::uint64_t>(budget, floor));
        EXPECT_LE(bytes_initial(node), bytes_max(node));
      }
    }
  }
}

TEST(Budget, TheLargestBudgetStillMakesAPool) {
  ProcessMemory memory;
  const std::vector<SizeClass> classes = node_classes(node_with(std::uint64_t{1} << 40), {}, {});
  Pool pool(classes, memory);
  EXPECT_TRUE(static_cast<bool>(pool.try_acquire(1 * mib)));
}

}  // namespace
}  // namespace abuzz::mem
