#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "bus/base/clock.hpp"
#include "bus/base/units.hpp"
#include "bus/config.hpp"
#include "bus/link/link.hpp"
#include "bus/mem/pool.hpp"
#include "bus/node/junction.hpp"
#include "bus/node/shard_mail.hpp"

namespace abuzz::node {

// One worker of a node: the links placed on it. It receives and checks frames, takes them through
// the node's junction in turns, and writes and sends what comes out there for its own agents.
//
// Threads: do_work, may_sleep and the constructor by the shard's thread; post and try_next_report
// by reception's. Ownership: everything in Parts outlives it. Everything else is reached through
// do_work(now).
class Shard {
 public:
  struct Parts {
    Junction& junction;
    link::Hub& hub;
    mem::Pool& pool;
    const Config& config;
    std::uint32_t node_epoch;
    std::uint32_t index = 0;       // among the shards of the junction
    base::Clock* clock = nullptr;  // that times some turns; nullptr: none
  };
  explicit Shard(const Parts& parts);
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
  // Whether nothing is to be done but what the hub or a deadline announces; asked after
  // Doorbell::arm. What comes from now on rings: orders, and calls of the junction.
  bool may_sleep() const noexcept;
  // It takes no more frames before it has had a turn.
  bool is_full() const noexcept;
  // Reports wait for try_next_report.
  bool has_reports() const noexcept;
  // Its thread was busy for so long, since the last word of it.
  void note_busy(base::Nanos span);
  // By the shard's thread.
  struct Counters {
    std::uint64_t turns = 0, in_vain = 0;  // that it had, or did not get at once
    std::uint64_t waited_ns = 0;           // for those
    std::uint64_t turn_ns = 0;             // inside turns, estimated from one in so many
  };
  const Counters& counters() const noexcept;

  // The private parts, for the files of this class only.
  struct State;  // shard_state.hpp

 private:
  std::unique_ptr<State> state_;
};

}  // namespace abuzz::node
