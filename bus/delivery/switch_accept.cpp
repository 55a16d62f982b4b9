#include <algorithm>

#include "bus/base/check.hpp"
#include "bus/delivery/switch.hpp"
#include "bus/wire/life.hpp"

// Batches coming in: sequence, limit, and one entry for each subscription that matches.

namespace abuzz::delivery {

namespace {

bool is_chunk(const wire::BatchHead& head) noexcept {
  return (head.envelope.flags & wire::batch_chunk) != 0;
}

}  // namespace

Verdict Switch::check_sequence(Publication& publication, const wire::BatchHead& head,
                               std::uint32_t& skip) const noexcept {
  const wire::Envelope& envelope = head.envelope;
  const std::uint64_t expected = publication.accepted_seq + 1;
  skip = 0;
  if (is_chunk(head)) {
    if (envelope.first_seq < expected) return Verdict::duplicate;
    if (envelope.first_seq > expected) return Verdict::gap;
    // A train that is sent again starts over at its first chunk.
    const bool follows = envelope.chunk_index == publication.next_chunk;
    return follows || envelope.chunk_index == 0 ? Verdict::taken : Verdict::chunk_order;
  }
  if (envelope.first_seq > expected) return Verdict::gap;
  if (envelope.first_seq + envelope.message_count <= expected) return Verdict::duplicate;
  skip = static_cast<std::uint32_t>(expected - envelope.first_seq);
  return publication.next_chunk == 0 ? Verdict::taken : Verdict::chunk_order;
}

Verdict Switch::accept(PortId port, const wire::Record& record, const wire::BatchHead& head,
                       mem::Buffer&& slice, base::Nanos now) {
  now_ = now;
  Publication* found = find_publication(port, record.handle);
  if (found == nullptr) return Verdict::unknown_handle;
  Publication& publication = *found;
  const wire::Envelope& envelope = head.envelope;
  // The node stamps by checking: sealed bytes are never altered.
  if (envelope.origin != node_id_ || envelope.agent_id != port ||
      envelope.publisher_id != publication.publisher_id ||
      envelope.publisher_epoch != publication.publisher_epoch ||
      envelope.lane != publication.lane || head.topic != publication.topic)
    return Verdict::identity;
  // Before its sequence: behind a batch that was not taken the next one leaves a gap.
  if (is_draining_ && port != own_port_) return Verdict::draining;
  if ((record.flags & wire::record_retained) != 0)
    return accept_restored(publication, record, head, std::move(slice));
  std::uint32_t skip = 0;
  const Verdict verdict = check_sequence(publication, head, skip);
  if (verdict == Verdict::duplicate) publication.row->add(PublicationCounter::duplicate);
  if (verdict != Verdict::taken) return verdict;
  if (!read_keys(publication, head, slice)) return Verdict::corrupt;
  if (is_chunk(head) && envelope.chunk_index == 0 && publication.next_chunk != 0)
    send_abort(publication);

  const std::uint64_t charge = wire::charged_bytes(envelope);
  const std::uint32_t count = envelope.message_count - skip;
  Amount accepted = publication.accepted + Amount{count, charge};
  if (!accepted.fits(publication.limit)) return Verdict::over_limit;

  const base::Nanos expires_at = wire::expiry_of(record, now);
  if (publication.retained && !retain(publication, head, slice, skip, expires_at))
    return Verdict::corrupt;
  Routed& routed = routed_.acquire();
  routed.publication = &publication;
  routed.slice = std::move(slice);
  routed.slice_bytes = static_cast<std::uint32_t>(routed.slice.bytes());
  held_bytes_ += routed.slice_bytes;
  routed.lane = envelope.lane;
  routed.first_seq = envelope.first_seq;
  routed.count = envelope.message_count;
  routed.charge = charge;
  routed.is_train = is_chunk(head);
  routed.first_of_train = is_chunk(head) && envelope.chunk_index == 0;
  routed.skipped = skip;
  routed.may_repeat = (record.flags & wire::record_may_repeat) != 0;
  routed.handled.add(0, skip);
  routed.expires_at = expires_at;
  // Boundaries are written before the act that makes them visible.
  publication.accepted = accepted;
  publication.is_fresh = false;
  publication.accepted_seq += count;
  publication.next_chunk = is_chunk(head) && count == 0 ? envelope.chunk_index + 1 : 0;
  publication.row->set(PublicationCounter::accepted, publication.accepted_seq);
  publication.row->add(PublicationCounter::batches);
  publication.row->add(PublicationCounter::bytes, head.batch_bytes);
  ++publication.routed_open;
  const std::uint32_t takers = takers_of(publication, routed);
  if ((envelope.flags & wire::batch_asks_receipts) != 0)
    open_receipts(publication, routed, skip, takers);
  route(publication, routed, skip, takers);
  update_limit(publication);
  return Verdict::taken;
}

// Subscriptions that get the batch, or the train that it is a piece of.
std::uint32_t Switch::takers_of(const Publication& publication, const Routed& routed) noexcept {
  std::size_t takers = publication.route.size();
  if (routed.is_train)
    takers -=
        static_cast<std::size_t>(std::count_if(publication.route.begin(), publication.route.end(),
                                               [](const Pair* pair) { return pair->skips_train; }));
  return static_cast<std::uint32_t>(takers);
}

void Switch::route(Publication& publication, Routed& routed, std::uint32_t skip,
                   std::uint32_t takers) {
  const std::uint32_t count = routed.count - skip;
  // Hold the record over the loop: a drop may settle it at once.
  routed.pending = 1;
  routed.holders = 1;
  stats_.process().add(ProcessCounter::route_hits);
  for (Pair* pair : publication.route) {
    const bool is_lossless = pair->subscription->policy == Policy::lossless;
    if (routed.first_of_train) pair->drops_train = false;
    // The publisher's use of what this subscription granted.
    if (is_lossless) spend(*pair, {count, routed.charge});
    if (!pair->skips_train) {
      pair->row->add(PairCounter::matched, count);
      offer(*pair, routed, skip, count);
    } else if (count > 0) {
      pair->skips_train = false;
      // It came in the middle of this one: it gets it as what is retained.
      if (publication.retained) give_pieces(*pair->subscription, retained_intake_.taken());
    }
    if (!is_lossless) continue;
    // A Want that overtook this batch was cut to the bound; now there may be more of it.
    ask(*pair);
    make_hungry(*pair);
  }
  keys_ = {};
  routed.span = note_accepted(publication, routed.owed);
  if (takers == 0) {
    publication.no_subscriber += count;
    publication.row->add(PublicationCounter::no_subscriber, count);
    routed.is_reported = true;
    if (publication.tells_at_once) note(publication);
  } else {
    publication.row->add(PublicationCounter::routed, count);
  }
  drop_holder(routed);
  --routed.pending;
  if (routed.pending == 0) finish_outcome(routed);
}

// The publisher keeps a batch until every lossless subscriber's process has it.
// Returns the number of the span, which means something only if somebody is owed it.
std::uint64_t Switch::note_accepted(Publication& publication, std::uint32_t owed) {
  const std::uint64_t span = publication.first_span + publication.spans.count();
  if (publication.spans.is_empty() && owed == 0)
    publication.settled_seq = publication.accepted_seq;
  else
    publication.spans.push_back(Span{publication.accepted_seq, owed});
  return span;
}

Verdict Switch::accept_void(PortId port, const wire::Record& record) {
  Publication* publication = find_publication(port, record.handle);
  if (publication == nullptr) return Verdict::unknown_handle;
  if (is_draining_) return Verdict::draining;
  const std::uint64_t expected = publication->accepted_seq + 1;
  if (record.seq > expected) return Verdict::gap;
  const std::uint64_t end = record.seq + record.message_count;
  if (end <= expected) return Verdict::duplicate;
  const std::uint64_t count = end - expected;
  if (publication->next_chunk != 0) send_abort(*publication);
  publication->accepted_seq += count;
  publication->accepted.messages += count;
  publication->is_fresh = false;
  publication->limit.messages += count;
  for (Pair* pair : publication->route) {
    pair->limit.messages += count;
    pair->row->add(PairCounter::matched, count);
    pair->row->add(PairCounter::void_after_join, count);
  }
  (void)note_accepted(*publication, 0);
  publication->row->set(PublicationCounter::accepted, publication->accepted_seq);
  publication->row->add(PublicationCounter::voided, count);
  count_dropped_by_all(*publication, count, DropReason::expired);
  note(*publication);
  return Verdict::taken;
}

Verdict Switch::accept_abort(PortId port, const wire::Record& record) {
  Publication* publication = find_publication(port, record.handle);
  if (publication == nullptr) return Verdict::unknown_handle;
  if (is_draining_) return Verdict::draining;
  if (publication->next_chunk == 0) return Verdict::chunk_order;
  send_abort(*publication);
  return Verdict::taken;
}

// Tells every subscription that got a part of the train that the rest will not come.
void Switch::send_abort(Publication& publication) {
  publication.next_chunk = 0;
  if (publication.retained) RetainedIntake::abort(*publication.retained);
  if (publication.route.empty()) return;
  Routed& routed = routed_.acquire();
  routed.publication = &publication;
  routed.aborts = true;
  routed.lane = publication.lane;
  routed.is_train = true;
  routed.abort_key = {publication.port->id, publication.publisher_id, publication.publisher_epoch};
  routed.slice_bytes = sizeof(wire::AbortKey);
  routed.first_seq = publication.accepted_seq + 1;
  routed.is_reported = true;
  routed.pending = 1;
  routed.holders = 1;
  ++publication.routed_open;
  for (Pair* pair : publication.route) {
    if (pair->subscription->group != nullptr)
      drop_pieces(*pair);
    else if (!pair->drops_train && !pair->skips_train)
      enqueue(*pair, routed, 0, 0, nullptr);
    // The message that it was not to see will not be: what has its sequence next is for it.
    if (pair->skips_train) pair->row->set(PairCounter::join, publication.accepted_seq);
    pair->skips_train = false;
  }
  routed.span = note_accepted(publication, routed.owed);
  drop_holder(routed);
  if (--routed.pending == 0) finish_outcome(routed);
}

}  // namespace abuzz::delivery
