#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/config.hpp"
#include "bus/node/peer_log.hpp"
#include "bus/place/companions.hpp"
#include "bus/place/conversation.hpp"
#include "bus/stats.hpp"

namespace abuzz::node {

// Brings the threads of a node with one shard to one processor while what it switches are exchanges
// of single messages, where that pays, and says so (ProcessCounter::meeting), so that the agents of
// such exchanges bring theirs. Streams, and much less of it, end it.
//
// Threads: the door's, once a second. Cost: a few counters; while there is a conversation a few
// files of /proc.
class Meeting {
 public:
  // `threads`: by the names that the system knows. None where nothing is to be moved.
  Meeting(const Config& config, StatsRow& process, std::vector<std::string> threads, LogSink log)
      : config_(config), process_(process), names_(std::move(threads)), log_(std::move(log)) {}
  ~Meeting() { companions_.part(); }
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;

  void look(base::Nanos now);

 private:
  place::TrafficLook traffic(base::Nanos now);
  void gather();
  void part(const char* why);

  const Config& config_;
  StatsRow& process_;
  const std::vector<std::string> names_;
  const LogSink log_;
  place::Conversation conversation_;
  place::Companions companions_;
  std::optional<std::uint32_t> place_;  // once it was found
  base::Nanos look_at_ = 0, looked_at_ = 0;
  std::uint64_t messages_seen_ = 0, batches_seen_ = 0;
  base::Nanos cpu_seen_ = 0;
};

}  // namespace abuzz::node
