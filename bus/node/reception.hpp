#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/config.hpp"
#include "bus/link/door.hpp"
#include "bus/node/admission.hpp"
#include "bus/node/guest_list.hpp"
#include "bus/node/host.hpp"
#include "bus/node/peer_log.hpp"
#include "bus/node/shard.hpp"
#include "bus/node/state_file.hpp"
#include "bus/place/balancer.hpp"
#include "bus/stats.hpp"

namespace abuzz::node {

// The door's side of a node: who may come in, who is still there, and when the node may leave.
//
// Threads: one. Ownership: everything in Parts outlives it.
// Invariants: a session is on the guest list from its `admit` order to its `dismiss` order; what a
// shard reports about any other session is ignored. No door event is taken while an order waits.
// Cost: allocates; a system call for each event, and one for each agent and beat.
//
// A session: every other event is ignored, and "ended" means dismissed, hung up on and forgotten.
//   announced  the shard expects it -> welcomed (welcome sent); node.handshake over -> ended
//   welcomed   link up -> live; node.handshake over -> ended (Error::handshake_timeout)
//   live       no beat for node.stalled_after -> stalled
//   stalled    a beat -> live; node.gone_after over -> ended
//   live, stalled  its link lost frames -> lost (hung up on)
//   lost       3 s over -> ended
//   any        hang-up, goodbye, third strike, newer session of its agent -> ended
class Reception {
 public:
  // Where a link may be placed.
  struct Place {
    Shard& shard;
    std::string endpoint;     // of its hub
    std::uint32_t cache = 0;  // its L3, where that is known
  };
  struct Parts {
    link::DoorListener& door;
    const Junction& junction;
    std::vector<Place> places;
    Host& host;
    PeerLog& log;
    StatsRow& process;  // door_turned_away and state; shared: over_limit
    const Config& config;
    const NodeIdentity& identity;
    bool managed;  // does not leave because it is idle
  };
  enum class Phase : std::uint8_t {
    open,      // takes everyone who is fit
    draining,  // takes nobody any more, and leaves when nobody is inside and nothing is queued
    stopping,  // the door is shut, goodbyes are under way
    left,      // nobody is inside; do_work does nothing
  };

  Reception(const Parts& parts, base::Nanos now);

  // One bounded duty cycle; returns the number of things done (0: may sleep).
  std::size_t do_work(base::Nanos now);
  // When do_work must be called although nothing happens; negative: no such time.
  base::Nanos next_deadline() const;

  // Has the agent go on over a link to that shard. False when it is not the time: it is not there,
  // not live, or moves already; or that is its shard.
  bool move(const std::string& name, std::uint32_t shard, const std::string& reason);
  void start_draining();
  // Leaves when the shard has delivered what it held and the agents went, at the latest at `until`.
  void start_stopping(base::Nanos now, base::Nanos until);

  Phase phase() const noexcept { return phase_; }
  // It left because it was empty; the host's start lock is held until the caller has cleaned up.
  bool left_empty() const noexcept { return left_empty_; }
  std::uint64_t agents_at_stop() const noexcept { return agents_at_stop_; }
  // Rises with every order to the shard, whose thread may have to be woken.
  std::uint64_t orders_posted(std::uint32_t shard) const noexcept { return posts_[shard].count; }

 private:
  enum class Why : std::uint8_t {
    hung_up,
    said_goodbye,
    process_ended,
    lifeless,
    struck_out,
    late,
    link_lost,
    superseded
  };

  // Each returns the number of things done.
  std::size_t flush_orders();
  bool has_waiting_orders() const noexcept;
  std::size_t take_reports();
  std::size_t answer_door();
  std::size_t watch_awaited();
  std::size_t watch_beats();
  std::size_t consider_leaving();
  std::size_t take_samples();

  void hear(std::uint32_t shard, const ShardReport& report);
  void hear_of_guest(Guest& guest, const ShardReport& report);
  void hear_sample(std::uint32_t shard, const ShardReport& report);
  void balance();
  void hear_of_next(Guest& guest, ShardReport::Kind kind);
  void dismiss(std::uint32_t shard, SessionId link, bool agent_gone, PresenceCause cause,
               std::vector<delivery::LeftBehind> left_behind = {});
  void hear(const link::Caller& caller, std::span<const std::byte> datagram);
  void admit(const link::Caller& caller, Admission&& admission);
  std::vector<std::byte> write_welcome(const Guest& guest, std::uint32_t shard,
                                       const link::Secret& secret);
  void refuse(const link::Caller& caller, const Failure& failure);
  void tell(LogLevel level, const Guest& guest, const std::string& what);
  static bool is_awaited(GuestState state) noexcept;
  base::Nanos deadline_of(const Guest& guest) const noexcept;
  void enter(Guest& guest, GuestState state);
  void end(Guest& guest, Why why);
  void tell_end(const Guest& guest, Why why);
  PresenceCause cause_of(Why why) const noexcept;
  void check_beat(Guest& guest);
  void post_beat(const Guest& guest, bool is_responsive);
  void remember(const Guest& guest);
  std::uint32_t choose_shard(const std::string& name) const;
  void post(std::uint32_t shard, ShardOrder&& order);
  void set_phase(Phase phase);
  void leave();

  // Constant after construction.
  Parts parts_;
  const base::Nanos handshake_, beat_, stalled_after_, gone_after_, idle_exit_;

  base::Nanos now_;
  Phase phase_ = Phase::open;
  GuestList guests_;
  struct Post {
    std::uint64_t count = 0;
    std::deque<ShardOrder> waiting;  // the shard's intake was full
    std::size_t guests = 0;          // placed there
  };
  std::vector<Post> posts_;  // by shard
  // Samples of the shards are taken while something is going on.
  place::Balancer balancer_;
  std::vector<place::Balancer::ShardSample> samples_;
  base::Nanos sample_at_ = 0;    // the next; 0: none
  base::Nanos sampled_at_ = 0;   // the last was asked for
  base::Nanos sample_span_ = 0;  // which it covers
  std::size_t samples_awaited_ = 0;
  static constexpr base::Nanos past_span = base::second;
  struct Past {
    std::string name;
    std::uint32_t shard;
    base::Nanos ended_at;
  };
  std::deque<Past> past_;  // sessions that ended lately, the latest first
  SessionId session_last_ = 0;
  std::uint64_t agent_id_next_;
  std::uint64_t refused_ = 0;
  std::size_t awaited_ = 0;        // sessions that are announced, welcomed or lost
  std::size_t beats_ = 0;          // sessions with a counter file
  bool has_closed_beats_ = false;  // counter files wait for their processes to end
  base::Nanos next_beat_;          // when beats are read next
  base::Nanos empty_since_;        // meaningful while nobody is here
  base::Nanos leave_attempt_ = 0;  // when to try next
  base::Nanos stop_until_ = 0;
  bool is_drained_ = false;
  bool left_empty_ = false;
  std::uint64_t agents_at_stop_ = 0;
  std::vector<std::byte> datagram_;
};

}  // namespace abuzz::node
