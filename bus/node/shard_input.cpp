#include <algorithm>

#include "bus/node/shard_state.hpp"
#include "bus/wire/life.hpp"

// Frames from agents: checked here, never beyond the sealed header.

namespace abuzz::node {

namespace {

constexpr std::size_t frames_per_cycle = 64;
// Acts that wait for the next frame to an agent. What is over is lost: requesters repeat.
constexpr std::size_t request_acts_max = 512;

// What a record is refused for; the others are no fault of the agent's.
const char* verdict_name(delivery::Verdict verdict) noexcept {
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
  return "";
}

// Feeds the items of one Control to the switch, for the session that sent them.
class Registrar final : public wire::ControlSink {
 public:
  Registrar(Shard::State& state, Session& session, base::Nanos now)
      : state_(state), session_(session), now_(now) {}

  bool is_refused() const noexcept { return is_refused_; }
  bool said_goodbye() const noexcept { return said_goodbye_; }

  void on(const wire::Advertise& item) override {
    const std::uint16_t error = state_.deliveries.advertise(session_.agent_id, item);
    session_.advertised.push_back({item.publication, error});
    state_.owe(session_);
  }
  void on(const wire::Subscribe& item) override {
    session_.subscribed.push_back(state_.deliveries.subscribe(session_.agent_id, item, now_));
    state_.owe(session_);
  }
  void on(const wire::Withdraw& item) override {
    state_.deliveries.withdraw(session_.agent_id, item.publication);
  }
  void on(const wire::Unsubscribe& item) override {
    state_.deliveries.unsubscribe(session_.agent_id, item.subscription);
  }
  void on(const wire::Want& item) override { state_.deliveries.want(session_.agent_id, item); }
  void on(const wire::FlushAsk& item) override {
    state_.deliveries.ask_flush(session_.agent_id, item);
  }
  void on(const wire::Settle& item) override {
    is_refused_ |= !state_.deliveries.settle(session_.agent_id, item, now_);
  }
  void on(const wire::LeaseAct& item) override {
    is_refused_ |= !state_.deliveries.act(session_.agent_id, item, now_);
  }
  void on(const wire::Verdict& item) override {
    if (item.reason == static_cast<std::uint32_t>(Error::bad_batch))
      state_.parts.stats.process().add(ProcessCounter::corrupt_reported);
    is_refused_ |= !state_.deliveries.refuse(session_.agent_id, item);
  }
  void on(const wire::RequestAct& item) override { state_.pass_on(session_, item); }
  void on(const wire::Goodbye& item) override {
    session_.presence.note_leaving({now_, state_.wall_now});
    said_goodbye_ |= item.deadline_ms == 0;
  }

 private:
  Shard::State& state_;
  Session& session_;
  const base::Nanos now_;
  bool is_refused_ = false;
  bool said_goodbye_ = false;
};

}  // namespace

std::size_t Shard::State::receive(base::Nanos now) {
  std::size_t done = 0;
  if (!may_have_input && parts.hub.wait_descriptor() >= 0) return 0;
  while (done < frames_per_cycle) {
    link::PeerId peer = 0;
    const link::ReceiveStatus status = parts.hub.try_receive(peer, incoming);
    if (status == link::ReceiveStatus::empty || status == link::ReceiveStatus::closed) {
      may_have_input = false;
      break;
    }
    ++done;
    Session* session = find(peer);
    if (session == nullptr) continue;  // expelled meanwhile
    if (status == link::ReceiveStatus::attached) {
      session->is_attached = true;
      session->presence.note_attached({now, wall_now});
      report(ShardReport::Kind::attached, session->id);
      continue;
    }
    take_frame(*session, now);
  }
  incoming.clear();
  return done;
}

// HOT: shard thread, once a frame.
void Shard::State::take_frame(Session& session, base::Nanos now) {
  StatsRow& process = parts.stats.process();
  process.add(ProcessCounter::frames_in);
  process.add(ProcessCounter::bytes_in, incoming.bytes());
  if (session.strikes >= strikes_max || session.is_lost) return;
  if (session.row != nullptr) {
    session.row->add(AgentCounter::frames_in);
    session.row->add(AgentCounter::bytes_in, incoming.bytes());
  }
  wire::FrameView view;
  const std::span<const std::byte> bytes = incoming.parts[0].span();
  // The uplink is one part: a second one is refused.
  wire::Reject reject = incoming.part_count == 1 ? wire::FrameView::parse({&bytes, 1}, view)
                                                 : wire::Reject::part_count;
  if (reject == wire::Reject::none && view.head().session_epoch != session.session_epoch)
    reject = wire::Reject::counts;
  if (reject == wire::Reject::none && session.flow.misses_some_before(view.head())) {
    process.add(ProcessCounter::frames_rejected);
    return lose_link(session, now);
  }
  if (reject == wire::Reject::none && !session.flow.on_frame(view.head()))
    reject = wire::Reject::counts;
  if (reject != wire::Reject::none) fault = wire::reject_name(reject);
  if (reject != wire::Reject::none || !take_records(session, view, now)) {
    process.add(ProcessCounter::frames_rejected);
    strike(session);
    return;
  }
  session.probe.on_frame(view.head());
  if (session.flow.is_ack_due() || session.probe.owes_answer()) owe(session);
  if (session.said_goodbye) report(ShardReport::Kind::goodbye, session.id);
}

bool Shard::State::take_records(Session& session, const wire::FrameView& view, base::Nanos now) {
  delivery::LinkFlow::Load load;
  bool is_good = true;
  for (std::size_t index = 0; index < view.record_count() && is_good; ++index) {
    wire::Record record = view.record(index);
    load.add(record.kind == wire::RecordKind::control ? wire::Lane::control : record.lane,
             record.slice_bytes);
    switch (record.kind) {
      case wire::RecordKind::batch:
        wire::age_on_arrival(record, view.head(), parts.hub.traits().same_host, now);
        is_good = take_batch(session, view, record, now);
        break;
      case wire::RecordKind::void_range:
        is_good = is_fine(deliveries.accept_void(session.agent_id, record));
        break;
      case wire::RecordKind::abort:
        is_good = is_fine(deliveries.accept_abort(session.agent_id, record));
        break;
      case wire::RecordKind::control:
        is_good = take_control(session, view, record, now);
        break;
    }
  }
  session.flow.on_processed(load);
  return is_good;
}

bool Shard::State::is_fine(delivery::Verdict verdict) noexcept {
  if (verdict <= delivery::Verdict::draining) return true;
  fault = verdict_name(verdict);
  return false;
}

// HOT: shard thread, once a batch.
bool Shard::State::take_batch(Session& session, const wire::FrameView& view,
                              const wire::Record& record, base::Nanos now) {
  StatsRow& process = parts.stats.process();
  wire::BatchHead head;
  const wire::Reject reject = wire::BatchHead::parse(view.slice(record), head);
  const bool is_consistent = reject == wire::Reject::none && record.lane == head.envelope.lane &&
                             record.seq == head.envelope.first_seq &&
                             record.message_count == head.envelope.message_count &&
                             record.part == 0;
  if (!is_consistent) {
    fault = reject == wire::Reject::none ? "record and batch differ" : wire::reject_name(reject);
    process.add(ProcessCounter::batches_rejected);
    return false;
  }
  process.add(ProcessCounter::batches_in);
  process.add(ProcessCounter::messages_in, record.message_count);
  if (session.row != nullptr) session.row->add(AgentCounter::messages_in, record.message_count);
  mem::Buffer slice = incoming.parts[0].slice(record.slice_offset, record.slice_bytes);
  const delivery::Verdict verdict =
      deliveries.accept(session.agent_id, record, head, std::move(slice), now);
  if (verdict == delivery::Verdict::over_limit) process.add(ProcessCounter::over_limit);
  if (is_fine(verdict)) return true;
  process.add(ProcessCounter::batches_rejected);
  return false;
}

// To the responder, in the name of who sent it.
void Shard::State::pass_on(const Session& from, wire::RequestAct act) {
  const std::span<const delivery::PortId> readers = deliveries.readers_of(from.agent_id, act);
  act.agent_id = from.agent_id;
  act.publication = 0;
  for (const delivery::PortId reader : readers) {
    Session* session = find_agent(reader);
    if (session == nullptr || session->request_acts.size() >= request_acts_max) continue;
    session->request_acts.push_back(act);
    owe(*session);
  }
}

bool Shard::State::take_control(Session& session, const wire::FrameView& view,
                                const wire::Record& record, base::Nanos now) {
  Registrar registrar(*this, session, now);
  const wire::Reject reject = wire::read_control(view.slice(record), control_scratch, registrar);
  session.said_goodbye |= registrar.said_goodbye();
  if (reject == wire::Reject::none && !registrar.is_refused()) return true;
  fault = reject == wire::Reject::none ? "numbers of a control item" : wire::reject_name(reject);
  return false;
}

}  // namespace abuzz::node
