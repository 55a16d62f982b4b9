#include <algorithm>

#include "bus/node/shard_state.hpp"

// Frames to agents: control first, then deliveries in turn, inside the link's credit.

namespace abuzz::node {

namespace {

// A slice this big goes as a part of its own, by reference; a smaller one is copied into the head.
constexpr std::uint32_t reference_bytes_min = 8 * base::kib;
constexpr std::size_t frame_bytes_target = 128 * base::kib;
constexpr std::size_t frames_per_serving = 8;
// The largest head: a full frame, one slice more that is copied, and a full Control.
constexpr std::size_t reserve_bytes =
    frame_bytes_target + reference_bytes_min + wire::control_bytes_max + 8 * base::kib;

}  // namespace

std::size_t Shard::State::send_all(base::Nanos now) {
  (void)now;
  std::size_t done = 0;
  // Links that had no room: an acknowledgement may have come.
  const std::size_t blocked_count = blocked.size();
  for (std::size_t index = 0; index < blocked_count; ++index) {
    Session* session = find(blocked[index]);
    if (session == nullptr) continue;
    session->is_blocked = false;
    done += serve(*session) ? 1 : 0;
  }
  blocked.erase(blocked.begin(), blocked.begin() + static_cast<std::ptrdiff_t>(blocked_count));
  while (const delivery::PortId port = deliveries.next_output()) {
    if (Session* session = find_agent(port)) done += serve(*session) ? 1 : 0;
  }
  const std::size_t owing_count = owing.size();
  for (std::size_t index = 0; index < owing_count; ++index) {
    Session* session = find(owing[index]);
    if (session != nullptr && session->owes_ack) done += serve(*session) ? 1 : 0;
  }
  owing.erase(owing.begin(), owing.begin() + static_cast<std::ptrdiff_t>(owing_count));
  return done;
}

void Shard::State::block(Session& session) {
  if (session.is_blocked) return;
  session.is_blocked = true;
  blocked.push_back(session.id);
}

// Sends what the session has, up to a few frames. What the link has no room for stays in the
// switch's queues, and the session in `blocked`.
bool Shard::State::serve(Session& session) {
  if (!session.is_attached) {
    block(session);
    return false;
  }
  bool sent = false;
  bool has_more = true;
  for (std::size_t index = 0; index < frames_per_serving && has_more; ++index) {
    has_more = false;
    if (!send_frame(session, has_more)) break;
    sent = true;
  }
  if (has_more || session.unsent.part_count > 0) block(session);
  return sent;
}

bool Shard::State::send_frame(Session& session, bool& has_more) {
  if (session.unsent.part_count > 0) {
    if (parts.hub.try_send(session.id, session.unsent) != link::SendStatus::sent) {
      has_more = true;
      return false;
    }
  }
  // A frame that was begun must be finished: its head has a buffer before anything is taken for it.
  if (!reserve) reserve = parts.pool.try_acquire(reserve_bytes);
  if (!reserve) {
    parts.stats.process().add(ProcessCounter::memory_refused);
    has_more = true;
    return false;
  }
  builder.clear();
  outgoing.clear();
  outgoing.part_count = 1;  // the head, filled last
  delivery::LinkFlow::Load load;
  add_control(session, load, has_more);
  const std::size_t messages = add_deliveries(session, load, has_more);
  if (builder.record_count() == 0 && !session.owes_ack) return false;
  if (session.row != nullptr) session.row->add(AgentCounter::messages_out, messages);
  parts.stats.process().add(ProcessCounter::messages_out, messages);
  return finish_frame(session, load);
}

void Shard::State::add_control(Session& session, delivery::LinkFlow::Load& load, bool& has_more) {
  for (const wire::Advertised& item : session.advertised) control.add(item);
  session.advertised.clear();
  for (const wire::Subscribed& item : session.subscribed) control.add(item);
  session.subscribed.clear();
  for (const wire::RequestAct& item : session.request_acts) control.add(item);
  session.request_acts.clear();
  deliveries.collect_control(session.agent_id, control);
  if (says_goodbye) {
    has_more = has_more || deliveries.has_news(session.agent_id);
    if (!has_more) control.set(wire::Goodbye{0, 0});
  }
  if (control.is_empty()) return;
  wire::Record record;
  record.kind = wire::RecordKind::control;
  record.lane = wire::Lane::control;
  builder.add_inline(record, control.finish());
  load.add(wire::Lane::control, 0);
}

// Puts one delivery into the frame: its record and its slice, by reference or copied. The target
// comes behind it.
void Shard::State::add_record(const delivery::Switch::Outgoing& next) {
  const delivery::Routed& routed = *next.routed;
  wire::Record record;
  record.kind = routed.aborts ? wire::RecordKind::abort : wire::RecordKind::batch;
  record.lane = routed.lane;
  record.hops = 1;
  record.message_count = routed.count;
  record.seq = routed.first_seq;
  record.ttl_left_ms = next.ttl_left_ms;
  record.attempt_or_reason = next.attempt;
  record.flags = next.may_repeat ? wire::record_may_repeat : 0;
  if (routed.is_retained) record.flags |= wire::record_retained;
  if (routed.slice_bytes >= reference_bytes_min) {
    record.part = static_cast<std::uint8_t>(outgoing.part_count);
    record.slice_bytes = routed.slice_bytes;
    outgoing.add(routed.slice.share());
    builder.add_reference(record);
  } else {
    builder.add_inline(record, routed.aborts ? std::as_bytes(std::span(&routed.abort_key, 1))
                                             : std::span<const std::byte>(routed.slice.span()));
  }
}

void Shard::State::add_target(const delivery::Switch::Outgoing& next) {
  wire::Target target;
  target.subscription = next.subscription;
  target.first = static_cast<std::uint16_t>(next.first);
  target.count = static_cast<std::uint16_t>(next.count);
  target.first_delivery = next.first_delivery;
  builder.add_target(target);
}

// More messages of the batch that went last, or the same ones for another subscription: its bytes
// need not go again.
bool Shard::State::is_same_record(const delivery::Switch::Outgoing& next,
                                  const delivery::Switch::Outgoing& last) noexcept {
  return next.routed == last.routed && !next.routed->aborts && next.attempt == last.attempt &&
         next.may_repeat == last.may_repeat;
}

// HOT: shard thread, once a batch and subscriber.
std::size_t Shard::State::add_deliveries(Session& session, delivery::LinkFlow::Load& load,
                                         bool& has_more) {
  std::size_t messages = 0;
  std::size_t bytes = builder.head_bytes();
  delivery::Switch::Outgoing next, last;
  delivery::LaneTurn::Waiting allowed = delivery::LaneTurn::all;
  while (deliveries.peek(session.agent_id, next, allowed)) {
    const delivery::Routed& routed = *next.routed;
    if (is_same_record(next, last) && builder.has_room(0, 1)) {
      add_target(next);
      messages += next.count;
      deliveries.mark_sent(session.agent_id);
      continue;
    }
    const bool by_reference = routed.slice_bytes >= reference_bytes_min;
    const bool is_full = !builder.has_room(1, 1) || bytes >= frame_bytes_target ||
                         (by_reference && outgoing.part_count > wire::parts_max);
    if (is_full) {
      has_more = true;
      break;
    }
    // A lane that the link has no room for holds no other one.
    if (!session.flow.has_room(routed.lane, routed.slice_bytes, load)) {
      has_more = true;
      allowed &= static_cast<delivery::LaneTurn::Waiting>(
          ~delivery::LaneTurn::bit(wire::lane_index(routed.lane)));
      continue;
    }
    add_record(next);
    add_target(next);
    last = next;
    load.add(routed.lane, routed.slice_bytes);
    bytes += routed.slice_bytes + sizeof(wire::Record) + sizeof(wire::Target);
    messages += next.count;
    parts.stats.process().add(ProcessCounter::batches_out);
    deliveries.mark_sent(session.agent_id);
  }
  return messages;
}

void Shard::State::note_bulk_ahead(const Session& session) {
  const std::uint64_t bytes = session.flow.bulk_ahead_bytes();
  if (session.row != nullptr) session.row->set(AgentCounter::bulk_ahead_bytes, bytes);
  StatsRow& process = parts.stats.process();
  if (bytes > process.get(ProcessCounter::bulk_ahead_bytes))
    process.set(ProcessCounter::bulk_ahead_bytes, bytes);
}

bool Shard::State::finish_frame(Session& session, delivery::LinkFlow::Load& load) {
  wire::FrameHead head;
  head.session_epoch = session.session_epoch;
  head.node_epoch = parts.node_epoch;
  head.part_count = static_cast<std::uint8_t>(outgoing.part_count);
  session.flow.stamp(head, load);
  note_bulk_ahead(session);
  session.probe.stamp(head, builder.record_count() > 0, cycle_at);
  session.owes_ack = false;
  mem::Buffer first = parts.pool.try_acquire(builder.head_bytes());
  if (!first) {
    first = std::move(reserve);
    first.narrow(0, builder.head_bytes());
  }
  builder.finish(head, first.span());
  outgoing.parts[0] = std::move(first);
  parts.stats.process().add(ProcessCounter::frames_out);
  parts.stats.process().add(ProcessCounter::bytes_out, outgoing.bytes());
  if (session.row != nullptr) {
    session.row->add(AgentCounter::frames_out);
    session.row->add(AgentCounter::bytes_out, outgoing.bytes());
  }
  if (parts.hub.try_send(session.id, outgoing) != link::SendStatus::sent)
    std::swap(session.unsent, outgoing);
  return true;
}

}  // namespace abuzz::node
