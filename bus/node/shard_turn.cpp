#include <algorithm>
#include <utility>

#include "bus/node/shard_state.hpp"

// Inside a turn: what came over links, orders, and then what is to go.

namespace abuzz::node {

namespace {

// What a record is refused for; the others are no fault of the agent's.
const char* verdict_fault(delivery::Verdict verdict) noexcept {
  switch (verdict) {
    case delivery::Verdict::unknown_handle:
      return "unknown publisher";
    case delivery::Verdict::identity:
      return "not its own identity or topic";
    case delivery::Verdict::gap:
      return "sequence";
    case delivery::Verdict::over_limit:
      return "more than it had credit for";
    case delivery::Verdict::chunk_order:
      return "order of chunks";
    case delivery::Verdict::corrupt:
      return "a body that does not verify";
    case delivery::Verdict::taken:
    case delivery::Verdict::duplicate:
    case delivery::Verdict::draining:
      break;
  }
  return nullptr;
}

// Feeds the items of one Control to the switch, for the session that sent them.
class Registrar final : public wire::ControlSink {
 public:
  Registrar(Shard::State& state, Session& session, Junction::Seat& seat, base::Nanos now)
      : state_(state),
        deliveries_(state.parts.junction.deliveries()),
        session_(session),
        seat_(seat),
        now_(now) {}

  bool is_refused() const noexcept { return is_refused_; }
  bool said_goodbye() const noexcept { return said_goodbye_; }

  void on(const wire::Advertise& item) override {
    const std::uint16_t error = deliveries_.advertise(session_.agent_id, item);
    session_.advertised.push_back({item.publication, error});
    state_.owe(session_);
  }
  void on(const wire::Subscribe& item) override {
    session_.subscribed.push_back(deliveries_.subscribe(session_.agent_id, item, now_));
    state_.owe(session_);
  }
  void on(const wire::Withdraw& item) override {
    deliveries_.withdraw(session_.agent_id, item.publication);
  }
  void on(const wire::Unsubscribe& item) override {
    deliveries_.unsubscribe(session_.agent_id, item.subscription);
  }
  void on(const wire::Want& item) override { deliveries_.want(session_.agent_id, item); }
  void on(const wire::FlushAsk& item) override { deliveries_.ask_flush(session_.agent_id, item); }
  void on(const wire::Settle& item) override {
    is_refused_ |= !deliveries_.settle(session_.agent_id, item, now_);
  }
  void on(const wire::LeaseAct& item) override {
    is_refused_ |= !deliveries_.act(session_.agent_id, item, now_);
  }
  void on(const wire::Verdict& item) override {
    if (item.reason == static_cast<std::uint32_t>(Error::bad_batch))
      state_.parts.junction.process().add(ProcessCounter::corrupt_reported);
    is_refused_ |= !deliveries_.refuse(session_.agent_id, item);
  }
  void on(const wire::RequestAct& item) override { deliveries_.pass_on(session_.agent_id, item); }
  void on(const wire::Goodbye& item) override {
    seat_.presence.note_leaving(state_.parts.junction.moment());
    said_goodbye_ |= item.deadline_ms == 0;
  }

 private:
  Shard::State& state_;
  delivery::Switch& deliveries_;
  Session& session_;
  Junction::Seat& seat_;
  const base::Nanos now_;
  bool is_refused_ = false;
  bool said_goodbye_ = false;
};

}  // namespace

std::size_t Shard::State::take_turn(base::Nanos now) {
  // What came before its session was dismissed still counts.
  std::size_t done = arrivals.count();
  if (done > 0) parts.junction.note_busy();
  for (const Arrival& arrival : arrivals.all()) apply(arrival, now);
  arrivals.clear();
  done += take_orders();
  parts.junction.finish();
  if (parts.junction.says_goodbye() && !has_said_goodbye) {
    has_said_goodbye = true;
    for (auto& [id, session] : sessions) owe(*session);
  }
  done += collect_all();
  wants_more = !owing.empty() || parts.junction.deliveries().has_output(parts.index);
  if (parts.junction.take_drained()) report(ShardReport::Kind::drained, 0);
  count_outside();
  return done;
}

// What happened outside since the last turn.
void Shard::State::count_outside() {
  StatsRow& process = parts.junction.process();
  process.add(ProcessCounter::memory_refused, memory_misses);
  memory_misses = 0;
  const link::HubCounters& hub = parts.hub.counters();
  process.add(ProcessCounter::strangers, hub.strangers - hub_counted.strangers);
  process.add(ProcessCounter::hub_full, hub.full - hub_counted.full);
  process.add(ProcessCounter::hub_unreachable, hub.unreachable - hub_counted.unreachable);
  hub_counted = hub;
}

void Shard::State::attach(Session& session) {
  session.is_attached = true;
  if (!session.reason.empty()) {
    if (!parts.junction.move(session.agent_id, session.id, session.reason)) return;
    by_agent[session.agent_id] = &session;
    session.reason.clear();
  } else if (Junction::Seat* seat = parts.junction.find(session.agent_id, session.id)) {
    seat->presence.note_attached(parts.junction.moment());
  }
  report(ShardReport::Kind::attached, session.id);
}

void Shard::State::apply(const Arrival& arrival, base::Nanos now) {
  Session* session = find(arrival.session);
  if (session == nullptr) return;  // dismissed meanwhile
  if (arrival.kind == Arrival::Kind::attached) return attach(*session);
  Junction::Seat* seat = parts.junction.find(session->agent_id, session->id);
  StatsRow& process = parts.junction.process();
  process.add(ProcessCounter::frames_in);
  process.add(ProcessCounter::bytes_in, arrival.bytes);
  if (seat == nullptr || session->strikes >= strikes_max || session->is_lost) return;
  session->work += work_of_frame(arrival.bytes);
  if (seat->row != nullptr) {
    seat->row->add(AgentCounter::frames_in);
    seat->row->add(AgentCounter::bytes_in, arrival.bytes);
  }
  if (arrival.kind == Arrival::Kind::gap) {
    process.add(ProcessCounter::frames_rejected);
    session->is_lost = true;
    session->is_attached = false;
    parts.junction.suspend(*seat);
    report(ShardReport::Kind::link_lost, session->id);
    return;
  }
  const char* fault = arrival.fault;
  for (const CheckedRecord& checked : arrivals.records(arrival)) {
    fault = apply(*session, *seat, arrival, checked, now);
    if (fault != nullptr) break;
  }
  session->flow.on_processed(arrival.load);
  if (fault != nullptr) {
    process.add(ProcessCounter::frames_rejected);
    if (seat->row != nullptr) seat->row->add(AgentCounter::strikes);
    return strike(*session, fault);
  }
  if (session->flow.is_ack_due() || session->probe.owes_answer()) owe(*session);
  if (session->said_goodbye) report(ShardReport::Kind::goodbye, session->id);
}

// HOT: inside a turn, once a record. What it is refused for; nullptr: nothing.
const char* Shard::State::apply(Session& session, Junction::Seat& seat, const Arrival& arrival,
                                const CheckedRecord& checked, base::Nanos now) {
  delivery::Switch& deliveries = parts.junction.deliveries();
  const wire::Record& record = checked.record;
  if (record.kind == wire::RecordKind::control)
    return apply_control(session, seat, arrival, record, now);
  if (record.kind == wire::RecordKind::void_range)
    return verdict_fault(deliveries.accept_void(session.agent_id, record));
  if (record.kind == wire::RecordKind::abort)
    return verdict_fault(deliveries.accept_abort(session.agent_id, record));
  StatsRow& process = parts.junction.process();
  const char* fault = checked.fault;
  if (fault == nullptr) {
    process.add(ProcessCounter::batches_in);
    process.add(ProcessCounter::messages_in, record.message_count);
    if (seat.row != nullptr) seat.row->add(AgentCounter::messages_in, record.message_count);
    mem::Buffer slice = arrival.frame.slice(record.slice_offset, record.slice_bytes);
    const delivery::Verdict verdict =
        deliveries.accept(session.agent_id, record, checked.head, std::move(slice), now);
    if (verdict == delivery::Verdict::over_limit) process.add(ProcessCounter::over_limit);
    fault = verdict_fault(verdict);
  }
  if (fault != nullptr) process.add(ProcessCounter::batches_rejected);
  return fault;
}

const char* Shard::State::apply_control(Session& session, Junction::Seat& seat,
                                        const Arrival& arrival, const wire::Record& record,
                                        base::Nanos now) {
  Registrar registrar(*this, session, seat, now);
  const std::span<const std::byte> slice =
      arrival.frame.span().subspan(record.slice_offset, record.slice_bytes);
  const wire::Reject reject = wire::read_control(slice, control_scratch, registrar);
  session.said_goodbye |= registrar.said_goodbye();
  if (reject != wire::Reject::none) return wire::reject_name(reject);
  return registrar.is_refused() ? "numbers of a control item" : nullptr;
}

// Refused bytes: counted, and after three of them the session is over.
void Shard::State::strike(Session& session, const char* fault) {
  parts.junction.process().add(ProcessCounter::strikes);
  report(ShardReport::Kind::strike, session.id, fault);
  if (++session.strikes == strikes_max) report(ShardReport::Kind::struck_out, session.id);
}

}  // namespace abuzz::node
