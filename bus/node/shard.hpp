#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/config.hpp"
#include "bus/delivery/returns.hpp"
#include "bus/link/link.hpp"
#include "bus/mem/pool.hpp"
#include "bus/node/shard_mail.hpp"
#include "bus/stats.hpp"

namespace abuzz::node {

// One worker of a node: the links placed on it, and the switch that serves them.
//
// Threads: do_work, is_idle and the constructor by the shard's thread; post and try_next_report by
// reception's. Ownership: hub, pool and stats outlive it. It is the only one that adds rows to the
// node's StatsFile. Everything else is reached through do_work(now).
class Shard {
 public:
  struct Parts {
    link::Hub& hub;
    mem::Pool& pool;
    StatsFile& stats;
    const Config& config;
    std::uint64_t node_id;
    std::uint32_t node_epoch;
  };
  // `owed`: whom the node before this one owed messages.
  explicit Shard(const Parts& parts, std::vector<delivery::Owed>&& owed = {});
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // Reception's thread. False when the intake is full (try again next cycle).
  bool post(ShardOrder&& order);
  bool try_next_report(ShardReport& report);

  // The hub's descriptor became readable, or the hub says that it has input. Until then a cycle
  // does not ask it again: each question is a system call.
  void note_input() noexcept;
  // One bounded duty cycle; returns the number of things done (0: may sleep).
  std::size_t do_work(base::Nanos now, base::Nanos wall_now);
  // When do_work must be called again although nothing arrives; negative: no such time.
  base::Nanos next_deadline() const noexcept;
  // Orders wait in the intake (asked before sleeping, after Doorbell::arm).
  bool has_orders() const noexcept;
  // Reports wait for try_next_report.
  bool has_reports() const noexcept;
  // It keeps something for who comes later: what is retained, dead letters, or the queue of a
  // group. Any thread.
  bool holds_messages() const noexcept;
  // Messages that agents did not confirm to have handled: when goodbye was said to them, or now.
  // The shard's thread, or after it ended.
  std::uint64_t undelivered_messages() const noexcept;

  // The private parts, for the files of this class only.
  struct State;  // shard_state.hpp

 private:
  std::unique_ptr<State> state_;
};

}  // namespace abuzz::node
