#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bus/base/units.hpp"

namespace abuzz::place {

// Decides which agents of a node move from one shard to another, by samples of what both did. It
// knows no threads and no clock but the time it is told; the same samples make the same moves.
//
// One thread. Cost: of a decision, shards x agents; nothing between samples.
// Rules, in this order:
//   A move must be worth it: for `looks_min` samples in a row the busiest shard had over
//   1.2 times the mean, and at least busy_min more than it.
//   The largest that takes not more than half of the difference; where there is none, the smallest
//   after which neither shard is as busy as one was, by a tenth. So two shards never swap roles.
//   To the least busy shard; of two that are about alike to the one under the same cache.
//   An agent moves at most once in `agent_rest`, and at most moves_max in one decision.
//   Parked: all that the shards do would keep one fewer busy for less than 2 %, for park_looks
//   samples in a row. The last shard gives its agents away and gets no new ones, so it sleeps.
//   Woken: those that are awake are busy for more than two thirds, for looks_min samples in a row.
class Balancer {
 public:
  static constexpr base::Nanos interval = 100 * base::millisecond;  // between samples
  static constexpr base::Nanos agent_rest = base::second;
  static constexpr std::uint32_t looks_min = 3;
  static constexpr std::uint32_t park_looks = 50;
  static constexpr double busy_min = 0.01;
  static constexpr std::size_t moves_max = 8;

  // Of one shard, since the last sample.
  struct ShardSample {
    double busy = 0;          // share of the time that its thread did something
    double waited = 0;        // share of it that frames waited for the shard's turn
    std::uint32_t cache = 0;  // its L3; equal means shared
  };
  struct AgentSample {
    std::uint64_t id = 0;
    std::uint32_t shard = 0;
    std::uint64_t work = 0;    // in any unit, the same for all
    base::Nanos moved_at = 0;  // last; 0: never
    bool may_move = true;      // it is there, and does not move just now
  };
  struct Move {
    std::uint64_t agent = 0;
    std::uint32_t from = 0, to = 0;
    std::string reason;
  };

  explicit Balancer(std::uint32_t shards) : awake_(shards), loads_(shards) {}

  // Requires: as many samples as shards.
  std::vector<Move> decide(std::span<const ShardSample> shards, std::span<AgentSample> agents,
                           base::Nanos now);
  // Shards that may have agents: those below this number.
  std::uint32_t awake_count() const noexcept { return awake_; }

 private:
  void smooth(std::span<const ShardSample> shards);
  void park_or_wake();
  void share_out(std::span<AgentSample> agents);
  void empty_parked(std::span<AgentSample> agents, base::Nanos now, std::vector<Move>& moves);
  void level(std::span<const ShardSample> shards, std::span<AgentSample> agents, base::Nanos now,
             std::vector<Move>& moves);
  std::size_t choose(std::span<const AgentSample> agents, std::uint32_t from, std::uint32_t to,
                     base::Nanos now) const noexcept;
  bool is_uneven() const noexcept;
  std::uint32_t busiest() const noexcept;
  std::uint32_t target(std::span<const ShardSample> shards, std::uint32_t from) const noexcept;
  double mean() const noexcept;
  Move make_move(std::size_t agent, std::span<AgentSample> agents, std::uint32_t to,
                 std::string reason);

  std::uint32_t awake_;
  std::vector<double> loads_;   // busy and waiting, smoothed; what a move changes is taken off
  std::vector<double> shares_;  // of the agents, in the same order: part of their shard's load
  bool has_sampled_ = false;
  std::uint32_t uneven_looks_ = 0, idle_looks_ = 0, full_looks_ = 0;
};

}  // namespace abuzz::place
