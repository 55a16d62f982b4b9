#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/stats.hpp"

namespace abuzz::delivery {

// So long an agent that lost its link, or its node, may take to come back.
inline constexpr base::Nanos return_patience = 3 * base::second;

// A lossless subscription of an earlier node. While its agent may come back, what is published on
// its topics is owed to it.
struct Owed {
  std::uint64_t agent_id = 0;  // of a group: of one of its members
  std::uint32_t handle = 0;    // of a group: 0, any member will do
  std::uint32_t pid = 0;       // 0: not known
  std::uint64_t start_ticks = 0;
  std::string pattern;
  std::string group;  // empty: none
};

// From the counters of a node that has ended, however it ended: what it owed, and what it in turn
// was still waiting for.
std::vector<Owed> read_owed(const StatsSnapshot& earlier);

// Whom a node that follows another one waits for. A publisher may be back before its subscribers:
// until they have returned, are known to be gone, or had their time, what it sends would find
// nobody. A publisher may have been told of a subscription too late to say so itself, so the node
// asks the counters of its predecessor. What is not there yet has a row of its own, so that the
// next node knows it even if this one is killed at once.
//
// Threads: one. Ownership: stats outlives it.
class Returns {
 public:
  explicit Returns(StatsFile& stats) noexcept : stats_(stats) {}

  // Once, before anything registers.
  void expect(std::vector<Owed>&& owed);
  // True when somebody is waited for no longer.
  bool note_subscribed(std::uint64_t agent_id, std::uint32_t handle, std::string_view pattern,
                       std::string_view group);
  bool note_gone(std::uint64_t agent_id);
  // Starts the clock at its first call; true when the time of those that were left is over.
  bool expire(base::Nanos now);

  // Whether a message on the topic would be for somebody who is not back yet.
  bool is_owed(std::string_view topic) const noexcept;
  bool is_waiting() const noexcept { return !waiting_.empty(); }

 private:
  struct Waiting {
    Owed owed;
    StatsRow* row = nullptr;  // nullptr: the file was full
  };
  template <class Predicate>
  bool drop_if(Predicate&& predicate);

  StatsFile& stats_;
  std::vector<Waiting> waiting_;
  base::Nanos until_ = 0;  // 0: the clock does not run yet
};

}  // namespace abuzz::delivery
