#include "bus/place/balancer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "bus/base/random.hpp"

namespace abuzz::place {
namespace {

using ::testing::HasSubstr;

// A node whose load is what its agents say: each keeps its shard busy for a share of the time.
class Balance : public ::testing::Test {
 protected:
  void set_shards(std::uint32_t count) {
    caches_.assign(count, 0);
    balancer_.emplace(count);
  }
  void add(std::uint32_t shard, double load, std::size_t count = 1) {
    for (; count > 0; --count) {
      Balancer::AgentSample agent;
      agent.id = agents_.size() + 1;
      agent.shard = shard;
      agents_.push_back(agent);
      agent_loads_.push_back(load);
    }
  }
  std::vector<double> loads() const {
    std::vector<double> sums(caches_.size(), 0);
    for (std::size_t i = 0; i < agents_.size(); ++i) sums[agents_[i].shard] += agent_loads_[i];
    return sums;
  }
  // One sample and what comes of it, done at once.
  std::vector<Balancer::Move> look(double waited = 0) {
    now_ += Balancer::interval;
    std::vector<Balancer::ShardSample> shards;
    const std::vector<double> sums = loads();
    for (std::size_t i = 0; i < sums.size(); ++i)
      shards.push_back({std::min(sums[i], 1.0), i == 0 ? waited : 0, caches_[i]});
    std::vector<Balancer::AgentSample> given = agents_;
    for (std::size_t i = 0; i < given.size(); ++i)
      given[i].work = static_cast<std::uint64_t>(agent_loads_[i] * 1e6);
    const std::vector<Balancer::Move> moves = balancer_->decide(shards, given, now_);
    for (const Balancer::Move& move : moves) {
      Balancer::AgentSample& agent = agents_[move.agent - 1];
      EXPECT_EQ(agent.shard, move.from);
      EXPECT_NE(move.from, move.to);
      EXPECT_TRUE(agent.moved_at == 0 || now_ - agent.moved_at >= Balancer::agent_rest);
      agent.shard = move.to;
      agent.moved_at = now_;
    }
    moves_done_ += moves.size();
    return moves;
  }
  void pass(base::Nanos span) {
    for (; span > 0; span -= Balancer::interval) look();
  }
  double worst() const {
    const std::vector<double> sums = loads();
    double sum = 0;
    for (const double load : sums) sum += load;
    return *std::max_element(sums.begin(), sums.end()) / (sum / static_cast<double>(sums.size()));
  }

  std::vector<std::uint32_t> caches_;
  std::optional<Balancer> balancer_;
  std::vector<Balancer::AgentSample> agents_;
  std::vector<double> agent_loads_;
  std::size_t moves_done_ = 0;
  base::Nanos now_ = base::second;
};

TEST_F(Balance, one_shard_has_nothing_to_balance) {
  set_shards(1);
  add(0, 0.1, 9);
  pass(5 * base::second);
  EXPECT_EQ(moves_done_, 0u);
}

TEST_F(Balance, what_is_even_stays) {
  set_shards(2);
  add(0, 0.08, 10);
  add(1, 0.07, 10);
  pass(60 * base::second);
  EXPECT_EQ(moves_done_, 0u);
}

TEST_F(Balance, acts_only_on_what_lasts) {
  set_shards(2);
  add(0, 0.3, 2);
  add(1, 0.3, 2);
  pass(base::second);
  for (int round = 0; round < 20; ++round) {
    agent_loads_[0] = 0.9;  // for one look
    look();
    agent_loads_[0] = 0.3;
    pass(base::second);
  }
  EXPECT_EQ(moves_done_, 0u);
}

// One tenth of a hundred make nine tenths of the load, and stand on one shard.
TEST_F(Balance, levels_skewed_agents_within_two_seconds) {
  set_shards(2);
  add(0, 0.081, 10);
  add(1, 0.001, 90);
  pass(2 * base::second);
  EXPECT_LT(worst(), 1.3);
  EXPECT_LE(moves_done_, 10u);
  const std::size_t moves = moves_done_;
  pass(30 * base::second);
  EXPECT_LE(moves_done_, moves + 2) << "it does not come to rest";
}

TEST_F(Balance, tells_why) {
  set_shards(2);
  add(0, 0.2, 4);
  add(1, 0.1, 1);
  std::vector<Balancer::Move> moves;
  for (int round = 0; round < 10 && moves.empty(); ++round) moves = look();
  ASSERT_FALSE(moves.empty());
  EXPECT_THAT(moves[0].reason,
              HasSubstr("shard 0 was busy 80 %, shard 1 10 %, 20 % by this agent"));
}

TEST_F(Balance, one_agent_that_is_all_the_load_stays_where_it_is) {
  set_shards(2);
  add(0, 0.9);
  add(1, 0.001, 5);
  pass(20 * base::second);
  EXPECT_EQ(agents_[0].shard, 0u);
  EXPECT_EQ(moves_done_, 0u);
}

TEST_F(Balance, waiting_for_the_turn_is_a_load_too) {
  set_shards(2);
  add(0, 0.1, 4);
  add(1, 0.1, 4);
  for (int round = 0; round < 10; ++round) look(0.5);
  EXPECT_GT(moves_done_, 0u);
  EXPECT_LT(loads()[0], loads()[1]);
}

TEST_F(Balance, prefers_the_same_cache_among_shards_that_are_alike) {
  set_shards(4);
  caches_ = {0, 1, 0, 1};
  add(0, 0.2, 4);
  add(1, 0.01);
  add(2, 0.02);
  add(3, 0.015);
  std::vector<Balancer::Move> moves;
  for (int round = 0; round < 10 && moves.empty(); ++round) moves = look();
  ASSERT_FALSE(moves.empty());
  EXPECT_EQ(moves[0].to, 2u);
}

TEST_F(Balance, who_may_not_move_does_not) {
  set_shards(2);
  add(0, 0.2, 4);
  for (Balancer::AgentSample& agent : agents_) agent.may_move = false;
  pass(5 * base::second);
  EXPECT_EQ(moves_done_, 0u);
}

TEST_F(Balance, parks_a_shard_that_is_not_needed_and_wakes_it_when_it_is) {
  set_shards(2);
  add(0, 0.0015, 5);
  add(1, 0.0015, 5);
  pass(4 * base::second);
  EXPECT_EQ(balancer_->awake_count(), 2u);
  pass(4 * base::second);
  EXPECT_EQ(balancer_->awake_count(), 1u);
  EXPECT_EQ(loads()[1], 0);
  std::fill(agent_loads_.begin(), agent_loads_.end(), 0.09);
  pass(4 * base::second);
  EXPECT_EQ(balancer_->awake_count(), 2u);
  EXPECT_LT(worst(), 1.3);
}

// Loads of all kinds: it levels what can be levelled, and then it rests.
TEST_F(Balance, comes_to_rest_whatever_the_loads_are) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    base::Random random(seed);
    agents_.clear();
    agent_loads_.clear();
    set_shards(static_cast<std::uint32_t>(2 + random.below(7)));
    const std::uint64_t count = 20 + random.below(100);
    double largest = 0;
    for (std::uint64_t agent = 0; agent < count; ++agent) {
      const double load = static_cast<double>(1 + random.below(1000)) / 1000 *
                          static_cast<double>(caches_.size()) * 0.6 / static_cast<double>(count);
      add(static_cast<std::uint32_t>(random.below(caches_.size()) * random.below(2)), load);
      largest = std::max(largest, load);
    }
    pass(20 * base::second);
    if (balancer_->awake_count() == caches_.size()) {
      EXPECT_LT(worst(), 1.35) << "seed " << seed;
    }
    const std::size_t moves = moves_done_;
    pass(20 * base::second);
    EXPECT_LE(moves_done_ - moves, 2u) << "seed " << seed;
  }
}

}  // namespace
}  // namespace abuzz::place
