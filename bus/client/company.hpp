#pragma once

#include <cstdint>
#include <string>

#include "bus/base/units.hpp"
#include "bus/place/companions.hpp"
#include "bus/stats.hpp"

namespace abuzz::client {

// Brings an agent's own threads to the processor where its node meets those who wait for each
// other, as long as this agent is one of them: it receives single messages, and sends about as
// often.
//
// Threads: the keeper, once a second. Cost: a few counters; while there is a conversation, a row of
// the node's counter file.
class Company {
 public:
  // `node_counters`: the file of the node's counters.
  Company(std::string node_counters, StatsRow& process)
      : node_counters_(std::move(node_counters)), process_(process) {}
  ~Company() { companions_.part(); }
  Company(const Company&) = delete;
  Company& operator=(const Company&) = delete;

  // A thread that may be moved. Before the first look.
  void add(pid_t thread) { companions_.add(thread); }
  std::size_t count() const noexcept { return companions_.count(); }
  void look(base::Nanos now);

 private:
  bool is_conversing(base::Nanos now);
  std::uint64_t node_meeting() const;

  const std::string node_counters_;
  StatsRow& process_;
  place::Companions companions_;
  std::uint64_t place_ = 0;       // as ProcessCounter::meeting
  std::uint32_t looks_else_ = 0;  // in a row at something else
  base::Nanos looked_at_ = 0;
  std::uint64_t batches_seen_ = 0, messages_seen_ = 0, frames_seen_ = 0;
};

}  // namespace abuzz::client
