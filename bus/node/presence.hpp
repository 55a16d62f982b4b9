#pragma once

#include <cstdint>

#include "bus/base/units.hpp"
#include "bus/delivery/switch.hpp"
#include "bus/node/presence_event.hpp"
#include "bus/stats.hpp"

namespace abuzz::node {

// The state of one agent as the node knows it: in its counter row, and told as events on
// `$agents.NAME.STATE`.
//
// Threads: one, the shard's. Ownership: `deliveries` and the row outlive it.
// Invariants: the state is what the facts say (state_of); only update() changes it, and each change
// is one event. Nothing follows gone.
// Cost: nothing for each message. A look every 100 ms, and some strings for each event, but none
// where nobody listens.
//
//   from                    when (cause)                                               to
//   -                       let in (arrived, returned)                                 starting
//   starting                its link is up (attached)                                  ready
//   ready                   behind at busy_looks looks in a row (backlog)              busy
//   busy                    not behind at as many looks (caught_up)                    ready
//   ready, busy             no beat for node.stalled_after (no_beat)                   stalled
//   stalled                 a beat (beat)                                              ready, busy
//   ready, busy, stalled    it says that it closes (closing)                           draining
//   any                     left, or is no more (the cause that reception found)       gone
//
// Behind: it has deliveries that it already had at the look before. An agent that stands still
// while it drains is draining; its beat is told apart from its state.
class Presence {
 public:
  static constexpr base::Nanos look_interval = 100 * base::millisecond;
  static constexpr std::uint32_t busy_looks = 5;

  struct Moment {
    base::Nanos now = 0;
    base::Nanos wall_now = 0;
  };
  // `row`: nullptr when the counter file has none for it.
  Presence(delivery::Switch& deliveries, StatsRow* row, const AgentIdentity& agent,
           std::uint32_t node_epoch, base::Nanos stalled_after);

  void begin(bool returns, const Moment& moment);
  void note_attached(const Moment& moment);
  // When its beat was last seen to change, and whether that is recent enough.
  void note_beat(base::Nanos at, bool is_responsive, const Moment& moment);
  void note_leaving(const Moment& moment);
  // Call every look_interval. How many subscriptions had to be looked at.
  std::size_t look(const Moment& moment);
  void end(PresenceCause cause, const Moment& moment);

  PeerState state() const noexcept { return state_; }

 private:
  static PeerState state_of(const AgentFacts& facts) noexcept;
  void update(PresenceCause cause, const Moment& moment);
  void retire_topics();

  // Constant after construction.
  delivery::Switch& deliveries_;
  StatsRow* const row_;
  const AgentIdentity agent_;
  const std::uint32_t node_epoch_;
  const base::Nanos stalled_after_;

  AgentFacts facts_;
  PeerState state_ = PeerState::none;
  bool told_progressing_ = true;
  std::uint32_t looks_against_ = 0;  // in a row that contradict is_busy
  delivery::Switch::Load seen_;      // at the last look
  base::Nanos progress_at_ = 0;      // when it last had handled some, or had none to handle
};

}  // namespace abuzz::node
