#include "bus/node/presence.hpp"

namespace abuzz::node {

Presence::Presence(delivery::Switch& deliveries, StatsRow* row, const AgentIdentity& agent,
                   std::uint32_t node_epoch, base::Nanos stalled_after)
    : deliveries_(deliveries),
      row_(row),
      agent_(agent),
      node_epoch_(node_epoch),
      stalled_after_(stalled_after) {}

PeerState Presence::state_of(const AgentFacts& facts) noexcept {
  if (!facts.is_alive) return PeerState::gone;
  if (!facts.is_attached) return PeerState::starting;
  if (facts.is_leaving) return PeerState::draining;
  if (!facts.is_responsive) return PeerState::stalled;
  return facts.is_busy ? PeerState::busy : PeerState::ready;
}

// Every change of the state, and of whether it makes progress.
void Presence::update(PresenceCause cause, const Moment& moment) {
  if (row_ != nullptr) {
    row_->set(AgentCounter::responsive, facts_.is_responsive ? 1 : 0);
    row_->set(AgentCounter::progressing, facts_.is_progressing ? 1 : 0);
  }
  const PeerState next = state_of(facts_);
  const bool is_told = next == state_ && facts_.is_progressing == told_progressing_;
  if (is_told || state_ == PeerState::gone) return;
  state_ = next;
  told_progressing_ = facts_.is_progressing;
  if (row_ != nullptr) row_->set(AgentCounter::state, static_cast<std::uint64_t>(state_));
  if (!deliveries_.has_listeners()) return deliveries_.skip_announcement();
  const PresenceEvent event{agent_, state_, cause, facts_, node_epoch_, moment.wall_now};
  deliveries_.announce(presence_topic(agent_.name, state_), write_presence_event(event), moment.now,
                       moment.wall_now);
}

void Presence::begin(bool returns, const Moment& moment) {
  progress_at_ = moment.now;
  update(returns ? PresenceCause::returned : PresenceCause::arrived, moment);
}

void Presence::note_attached(const Moment& moment) {
  facts_.is_attached = true;
  update(PresenceCause::attached, moment);
}

void Presence::note_beat(base::Nanos at, bool is_responsive, const Moment& moment) {
  if (row_ != nullptr) row_->set(AgentCounter::last_beat_ns, static_cast<std::uint64_t>(at));
  facts_.is_responsive = is_responsive;
  update(is_responsive ? PresenceCause::beat : PresenceCause::no_beat, moment);
}

void Presence::note_leaving(const Moment& moment) {
  facts_.is_leaving = true;
  update(PresenceCause::closing, moment);
}

// One look proves little: a handler may just have been given a message. The agent is behind when it
// has not handled all that was there at the last look, and only what holds for a while counts, in
// both directions: an agent has at most a few events a second.
std::size_t Presence::look(const Moment& moment) {
  if (!facts_.is_attached || !facts_.is_alive) return 0;
  const delivery::Switch::Load load = deliveries_.load_of(agent_.id);
  if (load.unsettled == 0 || load.settled != seen_.settled) progress_at_ = moment.now;
  const bool was_progressing = facts_.is_progressing;
  facts_.is_progressing = moment.now - progress_at_ < stalled_after_;
  const bool is_behind = load.unsettled > 0 && load.settled < seen_.settled + seen_.unsettled;
  looks_against_ = is_behind == facts_.is_busy ? 0 : looks_against_ + 1;
  if (looks_against_ >= busy_looks) {
    facts_.is_busy = is_behind;
    looks_against_ = 0;
  }
  seen_ = load;
  if (row_ != nullptr) {
    row_->set(AgentCounter::unsettled, load.unsettled);
    row_->set(AgentCounter::progress_ns, static_cast<std::uint64_t>(progress_at_));
  }
  PresenceCause cause = is_behind ? PresenceCause::backlog : PresenceCause::caught_up;
  if (facts_.is_progressing != was_progressing)
    cause = was_progressing ? PresenceCause::no_progress : PresenceCause::progress;
  update(cause, moment);
  return load.subscriptions;
}

void Presence::end(PresenceCause cause, const Moment& moment) {
  if (cause == PresenceCause::goodbye && facts_.is_attached) note_leaving(moment);
  facts_.is_alive = facts_.is_responsive = facts_.is_progressing = false;
  update(cause, moment);
  retire_topics();
}

// Nobody of this name will have events until one arrives again.
void Presence::retire_topics() {
  for (auto state = static_cast<std::uint64_t>(PeerState::starting);
       state <= static_cast<std::uint64_t>(PeerState::busy); ++state)
    deliveries_.retire(presence_topic(agent_.name, static_cast<PeerState>(state)));
}

}  // namespace abuzz::node
