#include <algorithm>

#include "bus/node/shard_state.hpp"

// Frames to agents: control first, then deliveries in turn, inside the link's credit. They are
// collected inside a turn, written and sent outside.

namespace abuzz::node {

namespace {

constexpr std::size_t frames_per_serving = 8;
// The largest head: a full frame, one slice more that is copied, and a full Control.
constexpr std::size_t reserve_bytes =
    Parcel::bytes_target + Parcel::reference_bytes_min + wire::control_bytes_max + 8 * base::kib;

}  // namespace

// --- Inside ---

std::size_t Shard::State::collect_all() {
  // A frame that is begun must be finished: what waits for memory goes first.
  if (!reserve) return 0;
  const std::size_t before = parcel_count;
  // Links that had no room: an acknowledgement may have come.
  std::size_t looked_at = 0;
  for (const std::size_t count = blocked.size(); looked_at < count && has_room(); ++looked_at) {
    Session* session = find(blocked[looked_at]);
    if (session == nullptr) continue;
    session->is_blocked = false;
    collect(*session);
  }
  blocked.erase(blocked.begin(), blocked.begin() + static_cast<std::ptrdiff_t>(looked_at));
  while (has_room()) {
    const delivery::PortId port = parts.junction.deliveries().next_output(parts.index);
    if (port == 0) break;
    if (Session* session = find_agent(port)) collect(*session);
  }
  looked_at = 0;
  for (const std::size_t count = owing.size(); looked_at < count && has_room(); ++looked_at) {
    Session* session = find(owing[looked_at]);
    if (session != nullptr && session->owes_ack) collect(*session);
  }
  owing.erase(owing.begin(), owing.begin() + static_cast<std::ptrdiff_t>(looked_at));
  return parcel_count - before;
}

// Takes what the session has to send, up to a few frames. What the link has no room for stays in
// the switch's queues, and the session in `blocked`.
void Shard::State::collect(Session& session) {
  Junction::Seat* seat = parts.junction.find(session.agent_id, session.id);
  if (seat == nullptr) {  // the agent has another link, or not this one yet
    session.owes_ack = false;
    return;
  }
  if (!session.is_attached || !session.unsent.empty()) return block(session);
  bool has_more = true;
  for (std::size_t index = 0; index < frames_per_serving && has_more && has_room(); ++index) {
    has_more = false;
    if (!collect_frame(session, *seat, has_more)) break;
  }
  if (has_more) block(session);
}

bool Shard::State::collect_frame(Session& session, Junction::Seat& seat, bool& has_more) {
  Parcel& parcel = parcels[parcel_count];
  parcel.begin(session.id);
  add_control(session, parcel, has_more);
  add_deliveries(session, parcel, has_more);
  if (!parcel.has_records() && !session.owes_ack) return false;
  stamp(session, seat, parcel);
  ++parcel_count;
  return true;
}

void Shard::State::add_control(Session& session, Parcel& parcel, bool& has_more) {
  delivery::Switch& deliveries = parts.junction.deliveries();
  for (const wire::Advertised& item : session.advertised) control.add(item);
  session.advertised.clear();
  for (const wire::Subscribed& item : session.subscribed) control.add(item);
  session.subscribed.clear();
  deliveries.collect_control(session.agent_id, control);
  if (parts.junction.says_goodbye()) {
    has_more = has_more || deliveries.has_news(session.agent_id);
    if (!has_more) control.set(wire::Goodbye{0, 0});
  }
  if (!control.is_empty()) parcel.add_control(control.finish());
}

// HOT: inside a turn, once a batch and subscriber.
void Shard::State::add_deliveries(Session& session, Parcel& parcel, bool& has_more) {
  delivery::Switch& deliveries = parts.junction.deliveries();
  delivery::Switch::Outgoing next;
  delivery::LaneTurn::Waiting allowed = delivery::LaneTurn::all;
  while (deliveries.peek(session.agent_id, next, allowed)) {
    const delivery::Routed& routed = *next.routed;
    if (parcel.try_add_target(next)) {
      deliveries.mark_sent(session.agent_id);
      continue;
    }
    if (!parcel.has_room(routed)) {
      has_more = true;
      break;
    }
    // A lane that the link has no room for holds no other one.
    if (!session.flow.has_room(routed.lane, routed.slice_bytes, parcel.load())) {
      has_more = true;
      allowed = delivery::LaneTurn::without(allowed, wire::lane_index(routed.lane));
      continue;
    }
    parcel.add(next);
    deliveries.mark_sent(session.agent_id);
  }
}

// It counts as sent: its place among the frames of the link is taken.
void Shard::State::stamp(Session& session, Junction::Seat& seat, Parcel& parcel) {
  parcel.head = {};
  parcel.head.session_epoch = session.session_epoch;
  parcel.head.node_epoch = parts.node_epoch;
  session.flow.stamp(parcel.head, parcel.load());
  session.probe.stamp(parcel.head, parcel.has_records(), cycle_at);
  const base::Nanos asks_at = session.probe.due_at();
  if (asks_at != 0 && (probes_at == 0 || asks_at < probes_at)) probes_at = asks_at;
  session.owes_ack = false;
  session.work += work_of_frame(parcel.frame_bytes());
  StatsRow& process = parts.junction.process();
  const std::uint64_t bulk_ahead = session.flow.bulk_ahead_bytes();
  if (bulk_ahead > process.get(ProcessCounter::bulk_ahead_bytes))
    process.set(ProcessCounter::bulk_ahead_bytes, bulk_ahead);
  process.add(ProcessCounter::messages_out, parcel.messages());
  process.add(ProcessCounter::batches_out, parcel.batches());
  process.add(ProcessCounter::frames_out);
  process.add(ProcessCounter::bytes_out, parcel.frame_bytes());
  if (seat.row == nullptr) return;
  seat.row->set(AgentCounter::bulk_ahead_bytes, bulk_ahead);
  seat.row->add(AgentCounter::messages_out, parcel.messages());
  seat.row->add(AgentCounter::frames_out);
  seat.row->add(AgentCounter::bytes_out, parcel.frame_bytes());
}

// --- Outside ---

// What was collected, and before it what links did not take.
std::size_t Shard::State::send_all() {
  must_retry = false;
  send_unsent();
  const std::size_t before = parcels_sent;
  while (parcels_sent < parcel_count && send_next()) ++parcels_sent;
  const std::size_t done = parcels_sent - before;
  if (parcels_sent == parcel_count) parcels_sent = parcel_count = 0;
  if (!reserve) reserve = parts.pool.try_acquire(reserve_bytes);
  if (!reserve) ++memory_misses;
  must_retry = must_retry || !reserve || parcel_count > 0;
  return done;
}

void Shard::State::send_unsent() {
  for (const SessionId id : blocked) {
    Session* session = find(id);
    if (session == nullptr || session->unsent.empty()) continue;
    auto next = session->unsent.begin();
    while (next != session->unsent.end() &&
           parts.hub.try_send(session->id, *next) == link::SendStatus::sent)
      ++next;
    session->unsent.erase(session->unsent.begin(), next);
    must_retry = must_retry || !session->unsent.empty();
  }
}

// False while there is no memory for its head.
bool Shard::State::send_next() {
  Parcel& parcel = parcels[parcels_sent];
  Session* session = find(parcel.session);
  if (session == nullptr) {
    parcel.clear();
    return true;
  }
  mem::Buffer first = parts.pool.try_acquire(parcel.head_bytes());
  if (!first) {
    if (!reserve) return false;
    first = std::move(reserve);
    first.narrow(0, parcel.head_bytes());
  }
  link::Frame& frame = parcel.finish(std::move(first));
  const bool is_sent =
      session->unsent.empty() && parts.hub.try_send(session->id, frame) == link::SendStatus::sent;
  if (is_sent) return true;
  session->unsent.emplace_back();
  std::swap(session->unsent.back(), frame);
  must_retry = true;
  block(*session);
  return true;
}

}  // namespace abuzz::node
