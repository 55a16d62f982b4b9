#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "bus/base/cache_line.hpp"
#include "bus/base/position.hpp"
#include "bus/base/units.hpp"
#include "bus/config.hpp"
#include "bus/delivery/returns.hpp"
#include "bus/delivery/switch.hpp"
#include "bus/link/link.hpp"
#include "bus/mem/pool.hpp"
#include "bus/node/presence.hpp"
#include "bus/node/shard_mail.hpp"
#include "bus/queue/turn.hpp"
#include "bus/stats.hpp"

namespace abuzz::node {

// What the shards of a node share: its one switch, who is inside, and the counter file. A shard
// comes in for a turn, with frames that it has checked, and goes out again with frames to write.
//
//   if (!junction.try_enter(shard, now, wall_now)) return;  // called when it may try again
//   ...; junction.leave();
//
// Threads: try_enter, leave and the Positions by the shards' threads, each as `shard`; everything
// else inside a turn only. Ownership: everything in Parts outlives it. It adds all rows to the
// node's StatsFile once the node runs.
// Invariants: a shard that came in vain, or has something to send since the turn of another one, is
// woken. Each agent has at most one seat, and only the session that has it is listened to.
// Cost: a turn costs a try-lock that nobody waits for (queue/turn.hpp).
class Junction {
 public:
  struct Parts {
    mem::Pool& pool;
    StatsFile& stats;
    const Config& config;
    std::uint64_t node_id;
    std::uint32_t node_epoch;
    std::uint32_t shards = 1;
    // Wakes a shard that has something to do; not needed where all are stepped by one thread.
    std::function<void(std::uint32_t shard)> wake = {};
  };
  // `owed`: whom the node before this one owed messages.
  explicit Junction(Parts parts, std::vector<delivery::Owed>&& owed = {});
  Junction(const Junction&) = delete;
  Junction& operator=(const Junction&) = delete;

  bool try_enter(std::uint32_t shard, base::Nanos now, base::Nanos wall_now);
  void leave();
  // --- Any thread. ---
  std::uint32_t shard_count() const noexcept { return parts_.shards; }
  // The shard has something to do inside. Asked before sleeping, after Doorbell::arm.
  bool is_called(std::uint32_t shard) const noexcept { return calls_[shard].is_up.read_fenced(); }
  // It has come in vain, and nobody has called it since.
  bool waits(std::uint32_t shard) const noexcept { return turn_.is_marked(shard); }
  // Shard 0 should come in although nothing arrives: it is time.
  bool has_timers_due(base::Nanos now) const noexcept { return now >= timers_at_.read(); }
  // When it must be woken for that; negative: no such time.
  base::Nanos timers_deadline() const noexcept { return timers_deadline_.read(); }
  // Something is kept for who comes later.
  bool holds_messages() const noexcept { return holds_messages_.read(); }

  // --- Inside. ---
  // The place of one agent, whatever link it comes over.
  struct Seat {
    std::uint64_t agent_id = 0;
    std::string name;
    SessionId session = 0;
    std::uint32_t shard = 0;
    StatsRow* row = nullptr;  // nullptr when the counter file has none for it
    Presence presence;

    Seat(StatsRow* counters, const Presence& begun) : row(counters), presence(begun) {}
  };
  // A new session of an agent. What it had before is suspended, so that it may be resumed.
  void seat(const ShardOrder& admit);
  // The agent goes on over another link, to the shard that is inside, from where it was: as after a
  // lost link. False when it has no seat any more.
  bool move(std::uint64_t agent_id, SessionId to, const std::string& reason);
  // nullptr where the session has no seat, or another one of its agent has it by now.
  Seat* find(std::uint64_t agent_id, SessionId session) noexcept;
  // The agent keeps its place in the switch for a while: what it had not received is sent over its
  // next link, and it begins there with what had not come over this one.
  void suspend(const Seat& seat);
  // The session is over; see ShardOrder::dismiss.
  void dismiss(Seat& seat, const ShardOrder& order, bool said_goodbye);

  // Frames or agents came in: timers do not rest.
  void note_busy() noexcept;
  // Does what was put off in this turn, and what is due. Call before collecting.
  void finish();
  void start_draining();
  // Goodbye is said when everything is settled, or then.
  void start_stopping(base::Nanos goodbye_at);
  // It is said in every frame from now on.
  bool says_goodbye() const noexcept { return says_goodbye_; }
  // True once, when nothing is queued any more after a start_draining.
  bool take_drained();
  // Messages that agents did not confirm to have handled: when goodbye was said to them, or now.
  // Inside, or after all threads ended.
  std::uint64_t undelivered_messages() const noexcept;

  delivery::Switch& deliveries() noexcept { return deliveries_; }
  StatsRow& process() noexcept { return parts_.stats.process(); }
  Presence::Moment moment() const noexcept { return {now_, wall_now_}; }

 private:
  void do_timers();
  void look_at_agents();
  void consider_goodbye();
  void remove(Seat& seat);
  void note_move(const Seat& seat, std::uint32_t from, const std::string& reason);
  void call(std::uint32_t shard);

  const Parts parts_;
  queue::Turn turn_;
  delivery::Switch deliveries_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Seat>> seats_;  // by agent
  std::deque<StatsRow*> moves_;                                     // of the latest few
  std::uint32_t inside_ = 0;                                        // which shard
  base::Nanos now_ = 0, wall_now_ = 0;                              // of this turn
  base::Nanos look_at_ = 0;
  std::vector<std::uint64_t> to_look_at_;  // agents, in this round
  std::uint32_t quiet_ticks_ = 0;          // of the timers, in a row
  base::Nanos goodbye_at_ = 0;             // while it stops
  std::uint64_t undelivered_ = 0;
  bool is_draining_ = false, is_stopping_ = false, says_goodbye_ = false, told_drained_ = false;
  bool calls_all_ = false;  // every shard has something to tell its agents

  // Written inside, read by any.
  struct alignas(base::writer_distance_bytes) Call {
    base::Position<bool> is_up{false};  // lowered by the shard when it comes in
  };
  std::vector<Call> calls_;
  queue::Turn::Members called_ = 0;  // in this turn
  base::Position<base::Nanos> timers_at_{0}, timers_deadline_{-1};
  base::Position<bool> holds_messages_{false};
};

}  // namespace abuzz::node
