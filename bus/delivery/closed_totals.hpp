#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "bus/base/units.hpp"
#include "bus/stats.hpp"

namespace abuzz::delivery {

// What the counter file remembers of publications, pairs and subscriptions after their rows are
// gone, so that the ledger of a topic stays whole when agents come and go: sums by topic, and the
// last few subscriptions whose agents were gone before they had handled everything.
//
// Threads: one. Ownership: `stats` outlives it. Bounded: topics_max sums, the rest goes into one
// for all other topics; departed_max subscriptions, the oldest makes room. Cost: a hash and twenty
// additions at an end, nothing before.
class ClosedTotals {
 public:
  static constexpr std::size_t topics_max = 256;
  static constexpr std::size_t departed_max = 32;

  explicit ClosedTotals(StatsFile& stats) noexcept : stats_(stats) {}

  // Call just before the row is removed.
  void add_publication(const std::string& topic, const StatsRow& publication);
  void add_abandoned(const std::string& topic, std::uint64_t messages);
  void add_pair(const std::string& topic, const StatsRow& pair);
  struct Departed {
    std::uint64_t agent_id;
    std::uint32_t handle;
    std::string_view pattern, agent;
    bool is_stalled;  // its agent lives, but stood still past the stall limit
  };
  void note_departed(const Departed& departed, const StatsRow& subscription, base::Nanos now);

 private:
  // nullptr when the file has no row left: it counts that.
  StatsRow* row_of(const std::string& ended);

  StatsFile& stats_;
  std::unordered_map<std::string, StatsRow*> topics_;
  std::deque<StatsRow*> departed_;
};

}  // namespace abuzz::delivery
