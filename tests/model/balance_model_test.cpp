#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/model/simulated_bus.hpp"

// A real node with two shards, its balancer and a hundred real agents in one thread. How busy a
// shard is, is made up from the frames of its agents.

namespace abuzz::testing {
namespace {

constexpr base::Nanos tick = base::millisecond;
constexpr std::size_t agent_count = 100;
constexpr std::uint32_t shard_count = 2;
constexpr base::Nanos frame_cost = 30 * base::microsecond;

Config two_shards() {
  Config config;
  config.place.shards = shard_count;
  return config;
}

class BalanceModel : public ::testing::Test {
 protected:
  BalanceModel() {
    for (std::size_t index = 0; index < agent_count; ++index) {
      const std::string topic = "load." + std::to_string(index);
      agents_.push_back(std::make_unique<SimulatedAgent>(
          node_, pool_, config_, "agent-" + std::to_string(index), 100 + index, trace_));
      agents_.back()->add_publisher(topic);
      seen_.push_back(&agents_.back()->add_subscription(topic));
      // One after the other, so that they are placed in turns.
      pass(3 * tick, false);
    }
  }
  // One tenth of them make nine tenths of the traffic, and came so that one shard has them all.
  static bool is_hot(std::size_t index) { return index < agent_count / 5 && index % 2 == 0; }

  void pass(base::Nanos span, bool publishes = true) {
    for (; span > 0; span -= tick) {
      node_.clock().advance(tick);
      ++ticks_;
      for (std::size_t index = 0; publishes && index < agents_.size(); ++index)
        if (is_hot(index) || (ticks_ + index) % 81 == 0)
          (void)agents_[index]->publish(0, 100);  // refused: not counted as published either
      node_.step(1);
      for (auto& agent : agents_) agent->step();
      node_.step(1);
      if (ticks_ % 10 == 0) note_busy();
    }
  }
  void note_busy() {
    std::array<base::Nanos, shard_count> busy{};
    for (const RowSnapshot& row : node_.core().stats().snapshot().rows) {
      if (row.kind != RowKind::agent) continue;
      const std::uint64_t frames =
          row.get(AgentCounter::frames_in) + row.get(AgentCounter::frames_out);
      busy[row.get(AgentCounter::shard)] +=
          static_cast<base::Nanos>(frames - std::exchange(frames_[row.text], frames)) * frame_cost;
    }
    for (std::uint32_t shard = 0; shard < shard_count; ++shard) {
      node_.core().shard(shard).note_busy(busy[shard]);
      busy_[shard] += busy[shard];
    }
  }
  // Of the busiest shard, to the mean, while the time passes.
  double worst_during(base::Nanos span) {
    busy_ = {};
    pass(span);
    const double mean = static_cast<double>(busy_[0] + busy_[1]) / 2;
    return static_cast<double>(std::max(busy_[0], busy_[1])) / mean;
  }
  std::map<std::string, std::uint64_t> moves() {
    std::map<std::string, std::uint64_t> moves;
    for (const RowSnapshot& row : node_.core().stats().snapshot().rows)
      if (row.kind == RowKind::agent) moves[row.text] = row.get(AgentCounter::moves);
    return moves;
  }

  Trace trace_;
  const Config config_ = two_shards();
  mem::ProcessMemory memory_;
  mem::Pool pool_{agent_classes, memory_};
  node::test::LoopNode node_{config_, true};
  std::vector<std::unique_ptr<SimulatedAgent>> agents_;
  std::vector<Seen*> seen_;
  std::map<std::string, std::uint64_t> frames_;
  std::array<base::Nanos, shard_count> busy_{};
  std::uint64_t ticks_ = 0;
};

TEST_F(BalanceModel, levels_a_hundred_agents_of_skewed_load_and_loses_nothing) {
  EXPECT_GT(worst_during(200 * tick), 1.5) << "it was level from the start";
  pass(1800 * tick);
  EXPECT_LT(worst_during(500 * tick), 1.3);
  for (int second = 0; second < 5; ++second) {
    const auto before = moves();
    EXPECT_LT(worst_during(base::second), 1.3);
    for (const auto& [name, count] : moves()) EXPECT_LE(count - before.at(name), 1u) << name;
  }
  EXPECT_GT(node_.count(ProcessCounter::moves), 0u);
  EXPECT_LT(node_.count(ProcessCounter::moves), 40u) << "it does not come to rest";
  pass(base::second, false);
  for (std::size_t index = 0; index < agents_.size(); ++index) {
    EXPECT_EQ(seen_[index]->messages, agents_[index]->publisher(0).pushed()) << index;
    EXPECT_EQ(seen_[index]->disorder + seen_[index]->corrupt, 0u) << index;
  }
  EXPECT_EQ(node_.count(ProcessCounter::links_broken), 0u);
  // Each is explained.
  std::size_t explained = 0;
  for (const RowSnapshot& row : node_.core().stats().snapshot().rows)
    explained += row.kind == RowKind::move && row.text2.starts_with("shard ") ? 1 : 0;
  EXPECT_EQ(explained, std::min<std::uint64_t>(node_.count(ProcessCounter::moves), 16));
}

TEST_F(BalanceModel, an_idle_node_is_not_sampled) {
  pass(5 * base::second, false);
  EXPECT_EQ(node_.count(ProcessCounter::moves), 0u);
  // Nothing is to be done at any time.
  EXPECT_LT(node_.core().reception().next_deadline(), 0);
}

}  // namespace
}  // namespace abuzz::testing
