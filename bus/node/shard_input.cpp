#include "bus/node/shard_state.hpp"
#include "bus/wire/life.hpp"

// Frames from agents: checked here, never beyond the sealed header.

namespace abuzz::node {

std::size_t Shard::State::receive(base::Nanos now) {
  std::size_t done = 0;
  if (!may_have_input && parts.hub.wait_descriptor() >= 0) return 0;
  while (!arrivals.is_full()) {
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
      arrivals.add(Arrival::Kind::attached, session->id);
      continue;
    }
    check_frame(*session, now);
  }
  incoming.clear();
  return done;
}

// HOT: shard thread, once a frame.
void Shard::State::check_frame(Session& session, base::Nanos now) {
  Arrival& arrival = arrivals.add(Arrival::Kind::frame, session.id);
  arrival.bytes = incoming.bytes();
  wire::FrameView view;
  const std::span<const std::byte> bytes = incoming.parts[0].span();
  // The uplink is one part: a second one is refused.
  wire::Reject reject = incoming.part_count == 1 ? wire::FrameView::parse({&bytes, 1}, view)
                                                 : wire::Reject::part_count;
  if (reject == wire::Reject::none && view.head().session_epoch != session.session_epoch)
    reject = wire::Reject::counts;
  if (reject == wire::Reject::none && session.flow.misses_some_before(view.head())) {
    arrival.kind = Arrival::Kind::gap;
    return;
  }
  if (reject == wire::Reject::none && !session.flow.on_frame(view.head()))
    reject = wire::Reject::counts;
  if (reject != wire::Reject::none) {
    arrival.kind = Arrival::Kind::refused;
    arrival.fault = wire::reject_name(reject);
    return;
  }
  session.probe.on_frame(view.head());
  arrival.frame = std::move(incoming.parts[0]);
  check_records(view, now);
}

// Those behind one that is refused do not matter.
void Shard::State::check_records(const wire::FrameView& view, base::Nanos now) {
  delivery::LinkFlow::Load load;
  const char* fault = nullptr;
  for (std::size_t index = 0; index < view.record_count() && fault == nullptr; ++index) {
    CheckedRecord& checked = arrivals.add_record();
    checked.record = view.record(index);
    wire::Record& record = checked.record;
    load.add(record.kind == wire::RecordKind::control ? wire::Lane::control : record.lane,
             record.slice_bytes);
    if (record.kind != wire::RecordKind::batch) continue;
    wire::age_on_arrival(record, view.head(), parts.hub.traits().same_host, now);
    const wire::Reject reject = wire::BatchHead::parse(view.slice(record), checked.head);
    const wire::Envelope& envelope = checked.head.envelope;
    const bool is_consistent = reject == wire::Reject::none && record.lane == envelope.lane &&
                               record.seq == envelope.first_seq &&
                               record.message_count == envelope.message_count && record.part == 0;
    if (!is_consistent)
      fault = reject == wire::Reject::none ? "record and batch differ" : wire::reject_name(reject);
    checked.fault = fault;
  }
  arrivals.set_load(load);
}

}  // namespace abuzz::node
