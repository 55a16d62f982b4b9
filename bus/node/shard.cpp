#include "bus/node/shard.hpp"

#include <algorithm>

#include "bus/node/shard_state.hpp"

namespace abuzz::node {

namespace {

constexpr base::Nanos timer_interval = 50 * base::millisecond;

std::array<std::uint32_t, 3> windows(const Config& config) noexcept {
  return {config.link.window_high_bytes, config.link.window_normal_bytes,
          config.link.window_bulk_bytes};
}

}  // namespace

Shard::State::State(const Parts& given)
    : parts(given),
      deliveries(given.stats, given.config, given.node_id, given.pool),
      control_scratch(given.hub.traits().part_bytes_max) {
  deliveries.open_own_port(own_agent_id(given.node_epoch));
  owing.reserve(1024);
  blocked.reserve(1024);
}

Shard::Shard(const Parts& parts, std::vector<delivery::Owed>&& owed)
    : state_(std::make_unique<State>(parts)) {
  state_->deliveries.expect_returns(std::move(owed));
}
Shard::~Shard() = default;

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

Session* Shard::State::find(SessionId id) noexcept {
  const auto found = sessions.find(id);
  return found == sessions.end() ? nullptr : found->second.get();
}

Session* Shard::State::find_agent(std::uint64_t agent_id) noexcept {
  const auto found = by_agent.find(agent_id);
  return found == by_agent.end() ? nullptr : found->second;
}

void Shard::State::report(ShardReport::Kind kind, SessionId session, const char* what) {
  ShardReport item{kind, session, what};
  // Reception empties the intake every cycle; at most a few reports stand for each session.
  if (report_producer.try_push(std::move(item)))
    reports_posted.publish_fenced(reports_posted.hint() + 1);
}

void Shard::State::owe(Session& session) {
  if (session.owes_ack) return;
  session.owes_ack = true;
  owing.push_back(session.id);
}

// Refused bytes: counted, and after three of them the session is over.
void Shard::State::strike(Session& session) {
  parts.stats.process().add(ProcessCounter::strikes);
  if (session.row != nullptr) session.row->add(AgentCounter::strikes);
  report(ShardReport::Kind::strike, session.id, fault);
  if (++session.strikes == strikes_max) report(ShardReport::Kind::struck_out, session.id);
}

// The agent keeps its place for a while: what it had not received is sent over its next link, and
// it begins there with what had not come over this one.
void Shard::State::lose_link(Session& session, base::Nanos now) {
  session.is_lost = true;
  parts.stats.process().add(ProcessCounter::links_broken);
  session.is_attached = false;
  deliveries.suspend_port(session.agent_id, now);
  report(ShardReport::Kind::link_lost, session.id);
}

void Shard::State::admit(const ShardOrder& order, base::Nanos now) {
  if (Session* old = find_agent(order.agent_id)) {
    deliveries.suspend_port(order.agent_id, now);
    end_session(old->id);
  }
  const std::uint64_t ids[] = {order.agent_id, order.pid, order.start_ticks, order.session_epoch};
  StatsRow* row =
      parts.stats.add_row(RowKind::agent, ids, order.name, order.agent_kind, order.description);
  if (row != nullptr) {
    row->set(AgentCounter::session_epoch, order.session_epoch);
    row->set(AgentCounter::connected_at_ns, static_cast<std::uint64_t>(now));
    row->set(AgentCounter::reconnects, order.session_epoch - 1);
  }
  const AgentIdentity identity{order.agent_id, order.pid, order.name, order.agent_kind,
                               order.description};
  const base::Nanos stalled_after =
      std::chrono::nanoseconds(parts.config.node.stalled_after).count();
  auto session = std::make_unique<Session>(
      windows(parts.config), row,
      Presence(deliveries, row, identity, parts.node_epoch, stalled_after));
  session->id = order.session;
  session->agent_id = order.agent_id;
  session->session_epoch = order.session_epoch;
  session->name = order.name;
  session->presence.begin(order.session_epoch > 1, {now, wall_now});
  deliveries.open_port(order.agent_id, order.name);
  parts.hub.admit(order.session, order.secret);
  by_agent[order.agent_id] = session.get();
  sessions[order.session] = std::move(session);
  report(ShardReport::Kind::admitted, order.session);
  parts.stats.process().add(ProcessCounter::sessions_opened);
  parts.stats.process().set(ProcessCounter::agents_now, sessions.size());
}

void Shard::State::dismiss(const ShardOrder& order, base::Nanos now) {
  Session* session = find(order.session);
  if (session == nullptr) return;
  if (find_agent(session->agent_id) == session) {
    if (session->said_goodbye) deliveries.note_goodbye(session->agent_id);
    if (order.agent_gone) {
      for (const delivery::LeftBehind& item : order.left_behind)
        deliveries.note_left_behind(session->agent_id, item);
      deliveries.close_port(session->agent_id, DropReason::peer_gone);
    } else {
      deliveries.suspend_port(session->agent_id, now);
    }
    // One that came back is not gone: its next session tells the rest.
    if (order.cause != PresenceCause::returned) session->presence.end(order.cause, {now, wall_now});
  }
  end_session(order.session);
}

void Shard::State::end_session(SessionId id) {
  Session* session = find(id);
  if (session == nullptr) return;
  parts.hub.expel(id);
  if (find_agent(session->agent_id) == session) by_agent.erase(session->agent_id);
  parts.stats.remove_row(session->row);
  sessions.erase(id);
  parts.stats.process().add(ProcessCounter::sessions_closed);
  parts.stats.process().set(ProcessCounter::agents_now, sessions.size());
}

void Shard::State::apply(ShardOrder& order, base::Nanos now) {
  switch (order.kind) {
    case ShardOrder::Kind::none:
      break;
    case ShardOrder::Kind::admit:
      admit(order, now);
      break;
    case ShardOrder::Kind::dismiss:
      dismiss(order, now);
      break;
    case ShardOrder::Kind::beat:
      if (Session* session = find(order.session))
        session->presence.note_beat(order.beat_seen, order.is_responsive, {now, wall_now});
      break;
    case ShardOrder::Kind::stop:
      is_stopping = true;
      goodbye_at = order.goodbye_at;
      [[fallthrough]];
    case ShardOrder::Kind::drain:
      is_draining = true;
      told_drained = false;
      deliveries.start_draining();
      break;
  }
}

std::size_t Shard::State::take_orders(base::Nanos now) {
  std::size_t done = 0;
  ShardOrder order;
  while (done < 64 && orders.pop(&order, 1) == 1) {
    ++orders_taken;
    apply(order, now);
    ++done;
  }
  return done;
}

void Shard::State::do_timers(base::Nanos now) {
  timers_at = now + timer_interval;
  deliveries.do_timers(now);
  StatsRow& process = parts.stats.process();
  process.set(ProcessCounter::queued_messages, deliveries.queued().messages);
  process.set(ProcessCounter::queued_bytes, deliveries.queued().bytes);
  process.set(ProcessCounter::strangers, parts.hub.counters().strangers);
  process.set(ProcessCounter::hub_full, parts.hub.counters().full);
  process.set(ProcessCounter::hub_unreachable, parts.hub.counters().unreachable);
  for (auto& [id, session] : sessions)
    if (!session->is_lost && session->probe.is_due(now)) owe(*session);
  if (now < look_at) return;
  look_at = now + Presence::look_interval;
  for (auto& [id, session] : sessions) session->presence.look({now, wall_now});
}

// Said once everything that was accepted is settled and will be told, so that it is the last word.
void Shard::State::consider_goodbye(base::Nanos now) {
  if (!is_stopping || says_goodbye) return;
  const bool is_late = now >= goodbye_at;
  if (!is_late && deliveries.queued().messages > 0) return;
  undelivered = deliveries.unsettled_messages();
  if (!is_late && undelivered > 0) return;
  says_goodbye = true;
  deliveries.tell_all();
  for (auto& [id, session] : sessions) owe(*session);
}

std::size_t Shard::do_work(base::Nanos now, base::Nanos wall_now) {
  State& state = *state_;
  state.wall_now = wall_now;
  state.cycle_at = now;
  state.deliveries.note_wall(wall_now);
  std::size_t done = state.take_orders(now);
  done += state.receive(now);
  if (now >= state.timers_at) state.do_timers(now);
  state.deliveries.finish_cycle(now);
  state.consider_goodbye(now);
  state.holds_messages.publish(state.deliveries.holds_messages());
  done += state.send_all(now);
  if (state.is_draining && !state.told_drained && state.deliveries.queued().messages == 0) {
    state.told_drained = true;
    state.report(ShardReport::Kind::drained, 0);
  }
  return done;
}

base::Nanos Shard::next_deadline() const noexcept {
  if (!state_->sessions.empty() || state_->deliveries.has_groups()) return state_->timers_at;
  return state_->deliveries.has_expiring() ? state_->timers_at + base::second : -1;
}

bool Shard::holds_messages() const noexcept {
  return state_->holds_messages.read();
}

void Shard::note_input() noexcept {
  state_->may_have_input = true;
}

bool Shard::has_orders() const noexcept {
  return state_->orders_posted.read_fenced() != state_->orders_taken;
}

bool Shard::has_reports() const noexcept {
  return state_->reports_posted.read_fenced() != state_->reports_taken.read_fenced();
}

std::uint64_t Shard::undelivered_messages() const noexcept {
  return state_->says_goodbye ? state_->undelivered : state_->deliveries.unsettled_messages();
}

}  // namespace abuzz::node
