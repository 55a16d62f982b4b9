#include "bus/node/reception.hpp"

// When the node itself goes: told to, drained, or idle for long enough.

namespace abuzz::node {
namespace {

constexpr base::Nanos leave_retry = base::second;
constexpr std::size_t leave_rounds_max = 16;  // a flood of noise must not hold start.lock for ever

}  // namespace

void Reception::start_draining() {
  if (phase_ != Phase::open) return;
  set_phase(Phase::draining);
  ShardOrder order;
  order.kind = ShardOrder::Kind::drain;
  post(0, std::move(order));
}

void Reception::start_stopping(base::Nanos now, base::Nanos until) {
  if (phase_ == Phase::stopping || phase_ == Phase::left) return;
  now_ = now;
  set_phase(Phase::stopping);
  stop_until_ = until;
  is_drained_ = false;  // what an earlier drain reported is not what the stop will
  agents_at_stop_ = guests_.count();
  parts_.door.shut();
  ShardOrder order;
  order.kind = ShardOrder::Kind::stop;
  // Late enough to settle what can be, early enough for agents to hear it and hang up.
  order.goodbye_at = until - (until - now) / 4;
  post(0, std::move(order));
}

std::size_t Reception::consider_leaving() {
  if (phase_ == Phase::stopping) {
    // Agents that heard the goodbye hang up by themselves; who does not is not waited for in vain.
    const bool is_over = is_drained_ && guests_.count() == 0;
    if (!is_over && now_ < stop_until_) return 0;
    leave();
    return 1;
  }
  if (phase_ == Phase::draining) {
    // No start.lock: nobody can count on a node that lets nobody in.
    if (!is_drained_ || guests_.count() != 0 || has_waiting_orders()) return 0;
    parts_.door.shut();
    leave();
    return 1;
  }
  const bool is_idle = phase_ == Phase::open && idle_exit_ > 0 && guests_.count() == 0 &&
                       now_ >= empty_since_ + idle_exit_ && now_ >= leave_attempt_;
  if (!is_idle) return 0;
  leave_attempt_ = now_ + leave_retry;
  if (parts_.junction.holds_messages()) return 0;    // for who comes later
  if (!parts_.host.try_take_start_lock()) return 0;  // somebody counts on finding a node
  // Who came in before the lock was taken may stay. Who comes now finds the door shut, waits for
  // the lock and starts the next node.
  std::size_t rounds = 0;
  while (answer_door() > 0 && rounds < leave_rounds_max) ++rounds;
  if (guests_.count() != 0 || has_waiting_orders() || rounds == leave_rounds_max) {
    parts_.host.release_start_lock();
    return 1;
  }
  parts_.door.shut();
  left_empty_ = true;
  leave();
  return 1;
}

void Reception::leave() {
  for (const auto& [id, guest] : guests_.guests()) {
    parts_.door.hang_up(guest.caller);
    if (guest.has_beat) parts_.host.close_beat(id);
  }
  parts_.log.finish(now_);
  set_phase(Phase::left);
}

void Reception::set_phase(Phase phase) {
  phase_ = phase;
  PeerState state = PeerState::ready;
  if (phase == Phase::draining || phase == Phase::stopping) state = PeerState::draining;
  if (phase == Phase::left) state = PeerState::gone;
  parts_.process.set(ProcessCounter::state, static_cast<std::uint64_t>(state));
}

}  // namespace abuzz::node
