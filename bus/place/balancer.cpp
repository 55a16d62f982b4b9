#include "bus/place/balancer.hpp"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <utility>

namespace abuzz::place {

namespace {

constexpr double smoothing = 0.4;      // weight of the newest sample
constexpr double uneven_factor = 1.2;  // of the mean
constexpr double gain_min = 0.1;       // of what was there
constexpr double share_min = 0.01;     // of its shard's load; less does not matter
constexpr double alike = 0.02;
constexpr double park_share = 0.02, wake_share = 2.0 / 3;

std::string percent(double share) {
  char text[16];
  std::snprintf(text, sizeof text, "%.0f %%", share * 100);
  return text;
}

bool rests(const Balancer::AgentSample& agent, base::Nanos now) {
  return agent.moved_at != 0 && now - agent.moved_at < Balancer::agent_rest;
}

}  // namespace

std::vector<Balancer::Move> Balancer::decide(std::span<const ShardSample> shards,
                                             std::span<AgentSample> agents, base::Nanos now) {
  std::vector<Move> moves;
  if (loads_.size() < 2) return moves;
  smooth(shards);
  park_or_wake();
  share_out(agents);
  empty_parked(agents, now, moves);
  uneven_looks_ = is_uneven() ? uneven_looks_ + 1 : 0;
  if (uneven_looks_ >= looks_min) level(shards, agents, now, moves);
  return moves;
}

void Balancer::smooth(std::span<const ShardSample> shards) {
  for (std::size_t shard = 0; shard < loads_.size(); ++shard) {
    const double load = shards[shard].busy + shards[shard].waited;
    loads_[shard] = has_sampled_ ? loads_[shard] + smoothing * (load - loads_[shard]) : load;
  }
  has_sampled_ = true;
}

void Balancer::park_or_wake() {
  const double sum = std::accumulate(loads_.begin(), loads_.end(), 0.0);
  const bool fits_fewer = awake_ > 1 && sum < park_share * (awake_ - 1);
  idle_looks_ = fits_fewer ? idle_looks_ + 1 : 0;
  if (idle_looks_ >= park_looks) {
    --awake_;
    idle_looks_ = 0;
  }
  const bool is_full = awake_ < loads_.size() && sum > wake_share * awake_;
  full_looks_ = is_full ? full_looks_ + 1 : 0;
  if (full_looks_ >= looks_min) {
    ++awake_;
    full_looks_ = 0;
  }
}

// What of its shard's load an agent is the reason for: as much of it as of the work there.
void Balancer::share_out(std::span<AgentSample> agents) {
  std::vector<double> work(loads_.size(), 0);
  for (const AgentSample& agent : agents) work[agent.shard] += static_cast<double>(agent.work);
  shares_.assign(agents.size(), 0);
  for (std::size_t index = 0; index < agents.size(); ++index) {
    const AgentSample& agent = agents[index];
    if (agent.work > 0)
      shares_[index] = loads_[agent.shard] * static_cast<double>(agent.work) / work[agent.shard];
  }
}

void Balancer::empty_parked(std::span<AgentSample> agents, base::Nanos now,
                            std::vector<Move>& moves) {
  for (std::size_t index = 0; index < agents.size() && moves.size() < moves_max; ++index) {
    const AgentSample& agent = agents[index];
    if (agent.shard < awake_ || !agent.may_move || rests(agent, now)) continue;
    const auto least = std::min_element(loads_.begin(), loads_.begin() + awake_);
    moves.push_back(make_move(index, agents, static_cast<std::uint32_t>(least - loads_.begin()),
                              "shard " + std::to_string(agent.shard) + " is parked"));
  }
}

double Balancer::mean() const noexcept {
  return std::accumulate(loads_.begin(), loads_.begin() + awake_, 0.0) / awake_;
}

std::uint32_t Balancer::busiest() const noexcept {
  const auto most = std::max_element(loads_.begin(), loads_.begin() + awake_);
  return static_cast<std::uint32_t>(most - loads_.begin());
}

bool Balancer::is_uneven() const noexcept {
  const double most = loads_[busiest()];
  return most > uneven_factor * mean() && most > mean() + busy_min;
}

std::uint32_t Balancer::target(std::span<const ShardSample> shards,
                               std::uint32_t from) const noexcept {
  const double least = *std::min_element(loads_.begin(), loads_.begin() + awake_);
  std::uint32_t best = from;
  for (std::uint32_t shard = 0; shard < awake_; ++shard) {
    if (shard == from || loads_[shard] > least + alike) continue;
    const bool is_near = shards[shard].cache == shards[from].cache;
    const bool best_is_near = best != from && shards[best].cache == shards[from].cache;
    const bool is_better = is_near != best_is_near ? is_near : loads_[shard] < loads_[best];
    if (best == from || is_better) best = shard;
  }
  return best;
}

void Balancer::level(std::span<const ShardSample> shards, std::span<AgentSample> agents,
                     base::Nanos now, std::vector<Move>& moves) {
  while (moves.size() < moves_max && is_uneven()) {
    const std::uint32_t from = busiest();
    const std::uint32_t to = target(shards, from);
    if (to == from) return;
    const std::size_t chosen = choose(agents, from, to, now);
    if (chosen == agents.size()) return;
    moves.push_back(make_move(chosen, agents, to,
                              "shard " + std::to_string(from) + " was busy " +
                                  percent(loads_[from]) + ", shard " + std::to_string(to) + " " +
                                  percent(loads_[to]) + ", " + percent(shares_[chosen]) +
                                  " by this agent"));
  }
}

// Which agent goes; agents.size() for none.
std::size_t Balancer::choose(std::span<const AgentSample> agents, std::uint32_t from,
                             std::uint32_t to, base::Nanos now) const noexcept {
  const double difference = loads_[from] - loads_[to];
  std::size_t large = agents.size(), small = agents.size();
  for (std::size_t index = 0; index < agents.size(); ++index) {
    const AgentSample& agent = agents[index];
    const double share = shares_[index];
    if (agent.shard != from || !agent.may_move || rests(agent, now)) continue;
    if (share < share_min * loads_[from]) continue;
    if (share <= difference / 2) {
      if (large == agents.size() || share > shares_[large]) large = index;
    } else if (loads_[to] + share < (1 - gain_min) * loads_[from]) {
      if (small == agents.size() || share < shares_[small]) small = index;
    }
  }
  return large != agents.size() ? large : small;
}

// As if it was there already.
Balancer::Move Balancer::make_move(std::size_t index, std::span<AgentSample> agents,
                                   std::uint32_t to, std::string reason) {
  AgentSample& agent = agents[index];
  Move move{agent.id, agent.shard, to, std::move(reason)};
  loads_[agent.shard] -= shares_[index];
  loads_[to] += shares_[index];
  agent.shard = to;
  agent.may_move = false;
  return move;
}

}  // namespace abuzz::place
