#include "bus/node/junction.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <utility>

namespace abuzz::node {

namespace {

constexpr base::Nanos timer_interval = 50 * base::millisecond;
// Where nothing has come in for some of these, and nothing is under way.
constexpr base::Nanos quiet_interval = 250 * base::millisecond;
constexpr std::uint32_t quiet_ticks_min = 20;
// What there is to look at is looked at in slices, with others' turns between them.
constexpr base::Nanos slice_interval = base::millisecond;
constexpr std::size_t looks_per_slice = 256;  // agents and their subscriptions
constexpr std::size_t moves_max = 16;         // that have a row

}  // namespace

Junction::Junction(Parts parts, std::vector<delivery::Owed>&& owed)
    : parts_(std::move(parts)),
      deliveries_(parts_.stats, parts_.config, parts_.node_id, parts_.pool),
      calls_(parts_.shards) {
  deliveries_.open_own_port(own_agent_id(parts_.node_epoch));
  deliveries_.expect_returns(std::move(owed));
}

// --- Turns ---

bool Junction::try_enter(std::uint32_t shard, base::Nanos now, base::Nanos wall_now) {
  if (!turn_.try_enter(shard)) return false;
  inside_ = shard;
  now_ = now;
  wall_now_ = wall_now;
  calls_[shard].is_up.publish(false);
  deliveries_.note_wall(wall_now);
  return true;
}

// What was put off is done by the shard that is inside: it takes what its own agents get of it.
void Junction::finish() {
  if (now_ >= timers_at_.hint()) do_timers();
  deliveries_.finish_cycle(now_);
  consider_goodbye();
}

void Junction::leave() {
  holds_messages_.publish(deliveries_.holds_messages());
  base::Nanos due = -1;
  if (!seats_.empty() || deliveries_.has_groups())
    due = timers_at_.hint();
  else if (deliveries_.has_expiring())
    due = timers_at_.hint() + base::second;
  // The timers are shard 0's: it must hear that there are some, or that they come sooner.
  if (due >= 0 && (timers_deadline_.hint() < 0 || due < timers_deadline_.hint())) call(0);
  timers_deadline_.publish(due);
  for (std::uint32_t shard = 0; shard < calls_.size(); ++shard)
    if (calls_all_ || deliveries_.has_output(shard)) call(shard);
  calls_all_ = false;
  // Only who is inside may touch them.
  const queue::Turn::Members called = std::exchange(called_, 0);
  queue::Turn::Members woken = turn_.leave() | called;
  for (; woken != 0; woken &= woken - 1)
    if (parts_.wake) parts_.wake(static_cast<std::uint32_t>(std::countr_zero(woken)));
}

// Once until it has come in: others may have something for it in every turn.
void Junction::call(std::uint32_t shard) {
  if (shard == inside_ || calls_[shard].is_up.hint()) return;
  calls_[shard].is_up.publish_fenced(true);
  called_ |= queue::Turn::bit(shard);
}

// --- Agents ---

void Junction::seat(const ShardOrder& order) {
  if (const auto old = seats_.find(order.agent_id); old != seats_.end()) {
    deliveries_.suspend_port(order.agent_id, now_);
    remove(*old->second);
  }
  const std::uint64_t ids[] = {order.agent_id, order.pid, order.start_ticks, order.session_epoch};
  StatsRow* row =
      parts_.stats.add_row(RowKind::agent, ids, order.name, order.agent_kind, order.description);
  if (row != nullptr) {
    row->set(AgentCounter::session_epoch, order.session_epoch);
    row->set(AgentCounter::connected_at_ns, static_cast<std::uint64_t>(now_));
    row->set(AgentCounter::reconnects, order.session_epoch - 1);
  }
  const AgentIdentity identity{order.agent_id, order.pid, order.name, order.agent_kind,
                               order.description};
  const base::Nanos stalled_after =
      std::chrono::nanoseconds(parts_.config.node.stalled_after).count();
  auto seat = std::make_unique<Seat>(
      row, Presence(deliveries_, row, identity, parts_.node_epoch, stalled_after));
  seat->agent_id = order.agent_id;
  seat->name = order.name;
  seat->session = order.session;
  seat->shard = inside_;
  if (row != nullptr) row->set(AgentCounter::shard, inside_);
  seat->presence.begin(order.session_epoch > 1, moment());
  deliveries_.open_port(order.agent_id, order.name, inside_);
  seats_[order.agent_id] = std::move(seat);
  process().add(ProcessCounter::sessions_opened);
  process().set(ProcessCounter::agents_now, seats_.size());
}

// What came over the old link is in; what still comes there is nobody's, and is sent again.
bool Junction::move(std::uint64_t agent_id, SessionId to, const std::string& reason) {
  const auto found = seats_.find(agent_id);
  if (found == seats_.end()) return false;
  Seat& seat = *found->second;
  deliveries_.suspend_port(agent_id, now_);
  deliveries_.open_port(agent_id, seat.name, inside_);
  const std::uint32_t from = std::exchange(seat.shard, inside_);
  seat.session = to;
  if (seat.row != nullptr) {
    seat.row->set(AgentCounter::shard, inside_);
    seat.row->add(AgentCounter::moves);
  }
  process().add(ProcessCounter::moves);
  note_move(seat, from, reason);
  return true;
}

void Junction::note_move(const Seat& seat, std::uint32_t from, const std::string& reason) {
  if (moves_.size() >= moves_max) {
    parts_.stats.remove_row(moves_.front());
    moves_.pop_front();
  }
  const std::uint64_t ids[] = {seat.agent_id};
  StatsRow* row = parts_.stats.add_row(RowKind::move, ids, seat.name, reason);
  if (row == nullptr) return;
  row->set(MoveCounter::at_ns, static_cast<std::uint64_t>(now_));
  row->set(MoveCounter::from, from);
  row->set(MoveCounter::to, seat.shard);
  moves_.push_back(row);
}

Junction::Seat* Junction::find(std::uint64_t agent_id, SessionId session) noexcept {
  const auto found = seats_.find(agent_id);
  const bool is_there = found != seats_.end() && found->second->session == session;
  return is_there ? found->second.get() : nullptr;
}

void Junction::suspend(const Seat& seat) {
  process().add(ProcessCounter::links_broken);
  deliveries_.suspend_port(seat.agent_id, now_);
}

void Junction::dismiss(Seat& seat, const ShardOrder& order, bool said_goodbye) {
  if (said_goodbye) deliveries_.note_goodbye(seat.agent_id);
  if (order.agent_gone) {
    for (const delivery::LeftBehind& item : order.left_behind)
      deliveries_.note_left_behind(seat.agent_id, item);
    deliveries_.close_port(seat.agent_id, DropReason::peer_gone);
  } else {
    deliveries_.suspend_port(seat.agent_id, now_);
  }
  // One that came back is not gone: its next session tells the rest.
  if (order.cause != PresenceCause::returned) seat.presence.end(order.cause, moment());
  remove(seat);
}

void Junction::remove(Seat& seat) {
  parts_.stats.remove_row(seat.row);
  seats_.erase(std::uint64_t{seat.agent_id});
  process().add(ProcessCounter::sessions_closed);
  process().set(ProcessCounter::agents_now, seats_.size());
}

// --- Time ---

// Something came in that timers may have to see to, and soon.
void Junction::note_busy() noexcept {
  if (quiet_ticks_ >= quiet_ticks_min)
    timers_at_.publish(std::min(timers_at_.hint(), now_ + timer_interval));
  quiet_ticks_ = 0;
}

void Junction::do_timers() {
  deliveries_.do_timers(now_);
  look_at_agents();
  process().set(ProcessCounter::queued_messages, deliveries_.queued().messages);
  process().set(ProcessCounter::queued_bytes, deliveries_.queued().bytes);
  if (deliveries_.is_sweeping() || !to_look_at_.empty())
    return timers_at_.publish(now_ + slice_interval);
  const bool is_quiet = deliveries_.is_idle() && !is_draining_;
  quiet_ticks_ = is_quiet ? std::min(quiet_ticks_ + 1, quiet_ticks_min) : 0;
  timers_at_.publish(now_ + (quiet_ticks_ < quiet_ticks_min ? timer_interval : quiet_interval));
}

// At least at one, and then at as many as have not too much to look at together.
void Junction::look_at_agents() {
  if (now_ >= look_at_ && to_look_at_.empty()) {
    look_at_ = now_ + Presence::look_interval;
    for (const auto& [id, seat] : seats_) to_look_at_.push_back(id);
  }
  for (std::size_t looked_at = 0; looked_at < looks_per_slice && !to_look_at_.empty();) {
    const auto found = seats_.find(to_look_at_.back());
    to_look_at_.pop_back();
    if (found != seats_.end()) looked_at += 1 + found->second->presence.look(moment());
  }
}

void Junction::start_draining() {
  is_draining_ = true;
  told_drained_ = false;
  deliveries_.start_draining();
}

void Junction::start_stopping(base::Nanos goodbye_at) {
  is_stopping_ = true;
  goodbye_at_ = goodbye_at;
  start_draining();
}

// Said once everything that was accepted is settled and will be told, so that it is the last word.
void Junction::consider_goodbye() {
  if (!is_stopping_ || says_goodbye_) return;
  const bool is_late = now_ >= goodbye_at_;
  if (!is_late && deliveries_.queued().messages > 0) return;
  undelivered_ = deliveries_.unsettled_messages();
  if (!is_late && undelivered_ > 0) return;
  says_goodbye_ = true;
  deliveries_.tell_all();
  calls_all_ = true;
}

bool Junction::take_drained() {
  if (!is_draining_ || told_drained_ || deliveries_.queued().messages > 0) return false;
  told_drained_ = true;
  return true;
}

std::uint64_t Junction::undelivered_messages() const noexcept {
  return says_goodbye_ ? undelivered_ : deliveries_.unsettled_messages();
}

}  // namespace abuzz::node
