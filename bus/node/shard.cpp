#include "bus/node/shard.hpp"

#include <algorithm>

#include "bus/node/shard_state.hpp"

namespace abuzz::node {

namespace {

// Links are looked at, and what found no memory or no room is tried again, at most so often.
constexpr base::Nanos probe_interval = 50 * base::millisecond;
constexpr base::Nanos retry_interval = 50 * base::millisecond;
constexpr std::uint64_t turns_per_timed = 16;
// Less work than this since the last sample is nothing that the balancer has to know of.
constexpr base::Nanos busy_told = 10 * base::millisecond;

// Negative and 0 stand for never.
base::Nanos sooner(base::Nanos left, base::Nanos right) noexcept {
  if (left <= 0) return right;
  return right <= 0 ? left : std::min(left, right);
}

}  // namespace

Shard::State::State(const Parts& given)
    : parts(given), control_scratch(given.hub.traits().part_bytes_max) {
  owing.reserve(1024);
  blocked.reserve(1024);
}

Shard::Shard(const Parts& parts) : state_(std::make_unique<State>(parts)) {}
Shard::~Shard() = default;

// --- Mail ---

bool Shard::post(ShardOrder&& order) {
  if (!state_->order_producer.try_push(std::move(order))) return false;
  state_->orders_posted.publish_fenced(state_->orders_posted.hint() + 1);
  return true;
}

bool Shard::try_next_report(ShardReport& report) {
  if (state_->reports.pop(&report, 1) == 0) return false;
  state_->reports_taken.publish_fenced(state_->reports_taken.hint() + 1);
  return true;
}

void Shard::State::report(ShardReport::Kind kind, SessionId session, const char* what) {
  ShardReport item;
  item.kind = kind;
  item.session = session;
  item.fault = what;
  report(std::move(item));
}

void Shard::State::report(ShardReport&& item) {
  // Reception empties the intake every cycle; at most a few reports stand for each session.
  if (report_producer.try_push(std::move(item)))
    reports_posted.publish_fenced(reports_posted.hint() + 1);
}

bool Shard::has_reports() const noexcept {
  return state_->reports_posted.read_fenced() != state_->reports_taken.read_fenced();
}

// --- Sessions ---

Session* Shard::State::find(SessionId id) noexcept {
  const auto found = sessions.find(id);
  return found == sessions.end() ? nullptr : found->second.get();
}

Session* Shard::State::find_agent(std::uint64_t agent_id) noexcept {
  const auto found = by_agent.find(agent_id);
  return found == by_agent.end() ? nullptr : found->second;
}

void Shard::State::owe(Session& session) {
  if (session.owes_ack) return;
  session.owes_ack = true;
  owing.push_back(session.id);
}

void Shard::State::block(Session& session) {
  if (session.is_blocked) return;
  session.is_blocked = true;
  blocked.push_back(session.id);
}

void Shard::State::look_at_probes(base::Nanos now) {
  base::Nanos next = 0;
  for (auto& [id, session] : sessions) {
    if (session->is_lost) continue;
    if (session->probe.is_due(now)) owe(*session);
    next = sooner(next, session->probe.due_at());
  }
  probes_at = next == 0 ? 0 : std::max(next, now + probe_interval);
}

// --- The cycle ---

bool Shard::State::needs_turn(base::Nanos now) const noexcept {
  if (!arrivals.is_empty() || !owing.empty() || !blocked.empty()) return true;
  if (wants_more || orders_posted.read() != orders_taken) return true;
  if (parts.junction.is_called(parts.index)) return true;
  return parts.index == 0 && parts.junction.has_timers_due(now);
}

bool Shard::State::try_enter(base::Nanos now, base::Nanos wall_now) {
  const bool was_in_vain = is_in_vain;
  is_in_vain = !parts.junction.try_enter(parts.index, now, wall_now);
  if (is_in_vain) {
    if (!was_in_vain) vain_since = now;
    ++counters.in_vain;
    return false;
  }
  if (was_in_vain) counters.waited_ns += static_cast<std::uint64_t>(now - vain_since);
  ++counters.turns;
  return true;
}

std::size_t Shard::do_work(base::Nanos now, base::Nanos wall_now) {
  State& state = *state_;
  Junction& junction = state.parts.junction;
  state.cycle_at = now;
  std::size_t done = state.send_all();
  done += state.receive(now);
  if (state.probes_at != 0 && now >= state.probes_at) state.look_at_probes(now);
  if (!state.needs_turn(now)) return done;
  if (!state.try_enter(now, wall_now)) return done;
  base::Clock* clock = state.counters.turns % turns_per_timed == 0 ? state.parts.clock : nullptr;
  const base::Nanos entered = clock != nullptr ? clock->now() : 0;
  done += state.take_turn(now);
  junction.leave();
  if (clock != nullptr)
    state.counters.turn_ns += static_cast<std::uint64_t>(clock->now() - entered) * turns_per_timed;
  return done + state.send_all();
}

base::Nanos Shard::next_deadline() const noexcept {
  const State& state = *state_;
  base::Nanos deadline = state.parts.index == 0 ? state.parts.junction.timers_deadline() : -1;
  deadline = sooner(deadline, state.probes_at);
  if (state.must_retry) deadline = sooner(deadline, state.cycle_at + retry_interval);
  return deadline == 0 ? -1 : deadline;
}

void Shard::note_busy(base::Nanos span) {
  State& state = *state_;
  state.busy += span;
  if (state.said_busy || state.busy < busy_told || state.parts.junction.shard_count() < 2) return;
  state.said_busy = true;
  state.report(ShardReport::Kind::busy, 0);
}

const Shard::Counters& Shard::counters() const noexcept {
  return state_->counters;
}

void Shard::note_input() noexcept {
  state_->may_have_input = true;
}

bool Shard::is_full() const noexcept {
  return state_->arrivals.is_full();
}

bool Shard::may_sleep() const noexcept {
  const State& state = *state_;
  if (state.orders_posted.read_fenced() != state.orders_taken) return false;
  if (state.parts.junction.is_called(state.parts.index)) return false;
  return !state.is_in_vain || state.parts.junction.waits(state.parts.index);
}

}  // namespace abuzz::node
