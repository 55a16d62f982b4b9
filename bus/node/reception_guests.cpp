#include <utility>

#include "bus/node/reception.hpp"
#include "bus/wire/control.hpp"

// Who is inside: how a session changes and how it ends.

namespace abuzz::node {

void Reception::tell(LogLevel level, const Guest& guest, const std::string& what) {
  if (!parts_.log.takes(level)) return;
  parts_.log.write(
      level, "agent " + guest.name + " (process " + std::to_string(guest.pid) + ") " + what, now_);
}

// Every change of a session's state but its end.
void Reception::enter(Guest& guest, GuestState state) {
  if (state == GuestState::welcomed) {
    parts_.door.try_reply(guest.caller, guest.welcome);  // lost: the handshake runs out
    guest.welcome = {};
  }
  if (is_awaited(guest.state) && !is_awaited(state)) --awaited_;
  if (!is_awaited(guest.state) && is_awaited(state)) ++awaited_;
  if (guest.state == GuestState::welcomed && state == GuestState::live) guest.beat_seen = now_;
  if (state == GuestState::lost) {
    tell(LogLevel::warn, guest, "lost frames on its link: it is to make another one");
    parts_.door.hang_up(guest.caller);
  } else if (state == GuestState::stalled) {
    tell(LogLevel::info, guest, "shows no sign of life");
  } else if (guest.state == GuestState::stalled) {
    tell(LogLevel::info, guest, "shows life again");
  }
  guest.state = state;
  guest.state_since = now_;
}

void Reception::tell_end(const Guest& guest, Why why) {
  switch (why) {
    case Why::hung_up:
      if (phase_ == Phase::stopping) return;  // it heard our goodbye
      return tell(LogLevel::info, guest, "is gone: it ended without a goodbye");
    case Why::said_goodbye:
      return tell(LogLevel::debug, guest, "is gone: it said goodbye");
    case Why::process_ended:
      return tell(LogLevel::info, guest, "is gone: its process ended");
    case Why::lifeless:
      return tell(LogLevel::warn, guest, "is gone: it showed no sign of life");
    case Why::struck_out:
      return tell(LogLevel::warn, guest, "was struck out: three bad frames");
    case Why::late:
      return tell(LogLevel::warn, guest, "was refused: it did not finish its handshake in time");
    case Why::link_lost:
      return tell(LogLevel::warn, guest, "is gone: it did not come back after its link was lost");
    case Why::superseded:
      return tell(LogLevel::debug, guest, "came back with a newer session");
  }
}

// What the agent's events say about its end.
PresenceCause Reception::cause_of(Why why) const noexcept {
  switch (why) {
    case Why::hung_up:
      return phase_ == Phase::stopping ? PresenceCause::node_stops : PresenceCause::hung_up;
    case Why::said_goodbye:
      return PresenceCause::goodbye;
    case Why::process_ended:
      return PresenceCause::process_ended;
    case Why::lifeless:
      return PresenceCause::lifeless;
    case Why::struck_out:
      return PresenceCause::struck_out;
    case Why::late:
      return PresenceCause::late;
    case Why::link_lost:
      return PresenceCause::link_lost;
    case Why::superseded:
      break;
  }
  return PresenceCause::returned;
}

void Reception::end(Guest& guest, Why why) {
  tell_end(guest, why);
  if (why == Why::struck_out || why == Why::late) {
    const Error error = why == Why::struck_out ? Error::struck_out : Error::handshake_timeout;
    wire::DoorRefusal refusal;
    refusal.error = static_cast<std::uint16_t>(error);
    refusal.text = guest.name;
    parts_.door.try_reply(guest.caller, wire::write_door(refusal));
  }
  if (why != Why::hung_up) parts_.door.hang_up(guest.caller);
  // Whichever has the agent ends it.
  const bool is_gone = why != Why::superseded && why != Why::late;
  std::vector<delivery::LeftBehind> left_behind;
  if (is_gone && guest.has_beat) left_behind = parts_.host.read_publications(guest.id);
  if (guest.next_link != 0)
    dismiss(guest.next_shard, guest.next_link, is_gone, cause_of(why), left_behind);
  dismiss(guest.shard, guest.link, is_gone, cause_of(why), std::move(left_behind));
  --posts_[guest.shard].guests;
  if (posts_.size() > 1) remember(guest);
  if (is_awaited(guest.state)) --awaited_;
  if (guest.has_beat) {
    --beats_;
    parts_.host.close_beat(guest.id);
    has_closed_beats_ = true;
  }
  guests_.remove(guest.id);
  if (guests_.count() == 0) empty_since_ = now_;
}

void Reception::remember(const Guest& guest) {
  while (!past_.empty() && now_ - past_.back().ended_at >= past_span) past_.pop_back();
  past_.push_front({guest.name, guest.shard, now_});
}

std::size_t Reception::watch_awaited() {
  if (awaited_ == 0) return 0;
  std::size_t done = 0;
  for (const SessionId id : guests_.ids()) {
    Guest& guest = *guests_.find(id);
    if (!is_awaited(guest.state) || now_ < deadline_of(guest)) continue;
    end(guest, guest.state == GuestState::lost ? Why::link_lost : Why::late);
    ++done;
  }
  return done;
}

std::size_t Reception::watch_beats() {
  if (now_ < next_beat_ || (beats_ == 0 && !has_closed_beats_)) return 0;
  // Twice a beat: what is silent for stalled_after is found not much later.
  next_beat_ = now_ + beat_ / 2;
  if (has_closed_beats_) has_closed_beats_ = parts_.host.sweep_beat_files();
  if (beats_ == 0) return 0;
  for (const SessionId id : guests_.ids()) {
    Guest& guest = *guests_.find(id);
    if (guest.has_beat) check_beat(guest);
  }
  return 1;
}

void Reception::check_beat(Guest& guest) {
  const std::uint64_t beat = parts_.host.read_beat(guest.id);
  if (beat != guest.beat) {
    guest.beat = beat;
    guest.beat_seen = now_;
    if (guest.state == GuestState::stalled) enter(guest, GuestState::live);
    post_beat(guest, true);
    return;
  }
  const base::Nanos silent = now_ - guest.beat_seen;
  if (silent > beat_ && parts_.host.is_process_gone(guest.id)) {
    end(guest, Why::process_ended);
  } else if (guest.state == GuestState::live && silent >= stalled_after_) {
    enter(guest, GuestState::stalled);
    post_beat(guest, false);
  } else if (guest.state == GuestState::stalled && now_ - guest.state_since >= gone_after_) {
    end(guest, Why::lifeless);
  }
}

void Reception::post_beat(const Guest& guest, bool is_responsive) {
  ShardOrder order;
  order.kind = ShardOrder::Kind::beat;
  order.session = guest.link;
  order.beat_seen = guest.beat_seen;
  order.is_responsive = is_responsive;
  post(guest.shard, std::move(order));
}

}  // namespace abuzz::node
