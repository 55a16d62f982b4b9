#include <algorithm>
#include <utility>

#include "bus/base/check.hpp"
#include "bus/delivery/switch.hpp"
#include "bus/topic.hpp"
#include "bus/wire/life.hpp"

// What is kept for who comes later: taken where it is accepted, given to a subscription before
// anything that is published afterwards, in one step. What a subscription is given stands in its
// queue like all else, but belongs to a pair of its own, whose publisher is the switch: it is
// counted beside the ledger of streams, holds nobody, and nobody is told what became of it.

namespace abuzz::delivery {

namespace {

// The topic under which the counters of what was given stand.
constexpr const char* snapshots_topic = "$retained";

Amount amount_of(const RetainedPiece& piece) noexcept {
  const wire::Envelope& envelope = piece.batch->envelope;
  const bool is_train = (envelope.flags & wire::batch_chunk) != 0;
  return {piece.count, is_train ? piece.batch->charge() : charged_bytes(envelope, piece.count)};
}

}  // namespace

// Every publisher of a retained topic is retained, whether it wishes so itself or not.
void Switch::begin_retaining(Publication& publication, std::uint32_t messages) {
  RetainedStore::Topic* known = retained_.find(publication.topic);
  if (messages == 0 && known == nullptr) return;
  publication.retained = std::make_unique<RetainedIntake::Source>();
  publication.retained->topic = &retained_.join(publication.topic, messages);
  if (known == nullptr) retain_topic(*publication.retained->topic);
}

// Those who were here before the first wish.
void Switch::retain_topic(RetainedStore::Topic& topic) {
  for (auto& [id, port] : ports_)
    for (auto& publication : port->publications) {
      if (!publication || publication->retained || publication->topic != topic.name) continue;
      publication->retained = std::make_unique<RetainedIntake::Source>();
      publication->retained->topic = &retained_.join(topic.name, 0);
    }
}

void Switch::stop_retaining(Publication& publication) {
  retained_.leave(*publication.retained->topic);
  publication.retained.reset();
}

// HOT: shard thread, once a batch of a retained topic. False when its body is refused.
bool Switch::retain(Publication& publication, const wire::BatchHead& head, const mem::Buffer& slice,
                    std::uint32_t skip, base::Nanos expires_at) {
  return retained_intake_.take(*publication.retained, {slice.share(), head, skip, expires_at,
                                                       false}) != RetainedIntake::Outcome::refused;
}

// What a publisher kept from the time of an earlier node: below everything that it sends anew. Who
// subscribed meanwhile gets it, too, and drops what it has seen.
Verdict Switch::accept_restored(Publication& publication, const wire::Record& record,
                                const wire::BatchHead& head, mem::Buffer&& slice) {
  const wire::Envelope& envelope = head.envelope;
  const std::uint64_t last = envelope.first_seq + std::max(envelope.message_count, 1u) - 1;
  if (last > publication.accepted_seq) return Verdict::gap;
  if (!publication.retained) return Verdict::taken;
  RetainedIntake::Source& source = *publication.retained;
  if (last <= source.restored_seq) return Verdict::taken;  // told again on another link
  const base::Nanos expires_at = wire::expiry_of(record, now_);
  const RetainedIntake::Outcome outcome =
      retained_intake_.take(source, {std::move(slice), head, 0, expires_at, true});
  if (outcome == RetainedIntake::Outcome::refused) return Verdict::corrupt;
  if (outcome != RetainedIntake::Outcome::incomplete) source.restored_seq = last;
  if (outcome == RetainedIntake::Outcome::kept)
    for (Pair* pair : publication.route) give_pieces(*pair->subscription, retained_intake_.taken());
  return Verdict::taken;
}

// Before anything is made for it: whether it can have what it asks for.
std::uint16_t Switch::check_snapshot(const wire::Subscribe& item) {
  if (item.retained == wire::Retained::last_value && !item.group.empty())
    return number(Error::bad_bound);
  if (item.retained == wire::Retained::last_value) {
    if (check_topic(item.pattern) != TopicFault::none) return number(Error::bad_topic);
    const RetainedPiece found = retained_.get(item.pattern, item.key, now_);
    if (found.batch == nullptr) return number(Error::nothing_retained);
    pieces_.assign(1, found);
    return 0;
  }
  pieces_.clear();
  if (item.retained == wire::Retained::none || !item.group.empty()) return 0;
  std::uint64_t bytes = 0;
  retained_.for_each(item.pattern, now_, [&](auto&, const std::vector<RetainedPiece>& pieces) {
    for (const RetainedPiece& piece : pieces) bytes += amount_of(piece).bytes;
    pieces_.insert(pieces_.end(), pieces.begin(), pieces.end());
  });
  // The others are given what fits; it would lose something without a word.
  const bool is_lossless = item.policy == static_cast<std::uint8_t>(Policy::lossless);
  return is_lossless && bytes > memory_left() ? number(Error::memory_budget) : 0;
}

// False when the counter file has no row for it, or nothing is wanted.
bool Switch::open_snapshot(Subscription& subscription) {
  if (subscription.wants == wire::Retained::none) return false;
  if (subscription.snapshot) return true;
  auto pair = std::make_unique<Pair>();
  pair->publication = &retained_source_;
  pair->subscription = &subscription;
  pair->is_hungry = true;  // it has no credit
  const std::uint64_t ids[] = {0, stats_.index_of(*subscription.row)};
  pair->row = stats_.add_row(RowKind::pair, ids, snapshots_topic);
  if (pair->row == nullptr) return false;
  subscription.snapshot = std::move(pair);
  return true;
}

void Switch::close_snapshot(Subscription& subscription) {
  closed_.add_pair(snapshots_topic, *subscription.snapshot->row);
  stats_.remove_row(subscription.snapshot->row);
  subscription.snapshot.reset();
}

// What check_snapshot found.
void Switch::give_snapshot(Subscription& subscription) {
  if (!pieces_.empty()) give_pieces(subscription, pieces_);
  pieces_.clear();
}

// Of what does not fit into the bound of a subscription that is not lossless, the newest is given.
void Switch::give_pieces(Subscription& subscription, const std::vector<RetainedPiece>& pieces) {
  if (!open_snapshot(subscription)) return;
  Pair& pair = *subscription.snapshot;
  std::size_t begin = 0;
  if (subscription.policy != Policy::lossless) {
    begin = pieces.size();
    Amount sum = subscription.queued;
    while (begin > 0 && (sum + amount_of(pieces[begin - 1])).fits(subscription.bound))
      sum = sum + amount_of(pieces[--begin]);
  }
  for (std::size_t index = 0; index < pieces.size(); ++index) {
    const RetainedPiece& piece = pieces[index];
    if (!piece.batch->slice) continue;  // gone since
    pair.row->add(PairCounter::matched, piece.count);
    if (index < begin)
      count_dropped(pair, piece.count, DropReason::queue_full);
    else
      give(pair, piece);
  }
}

void Switch::give(Pair& pair, const RetainedPiece& piece) {
  Subscription& subscription = *pair.subscription;
  const RetainedBatch& batch = *piece.batch;
  std::uint32_t first = piece.first, count = piece.count;
  Conflation::Slot* slot = nullptr;
  if (subscription.policy == Policy::latest) {
    if (count > subscription.latest_max) {
      count_dropped(pair, count - subscription.latest_max, DropReason::conflated);
      first += count - subscription.latest_max;
      count = subscription.latest_max;
    }
    slot = &subscription.conflation.slot(batch.envelope.topic_hash, piece.key);
    conflate(subscription, *slot, subscription.latest_max - count);
  }
  if ((batch.envelope.flags & wire::batch_chunk) != 0) return give_train(pair, batch, slot);
  Routed& routed = acquire_retained(batch, batch.slice);
  routed.count = batch.envelope.message_count;
  routed.charge = wire::charged_bytes(batch.envelope);
  enqueue(pair, routed, first, count, slot);
  release_unsent(routed);
}

// The same chunks in the same order, charged at the first as they were when they came.
void Switch::give_train(Pair& pair, const RetainedBatch& batch, Conflation::Slot* slot) {
  pair.drops_train = false;
  for (std::size_t index = 0; index <= batch.chunks.size(); ++index) {
    const bool is_first = index == 0;
    const bool is_last = index == batch.chunks.size();
    Routed& routed = acquire_retained(batch, is_first ? batch.slice : batch.chunks[index - 1]);
    routed.is_train = true;
    routed.first_of_train = is_first;
    routed.count = is_last ? 1 : 0;
    routed.charge = is_first ? batch.charge() : 0;
    enqueue(pair, routed, 0, routed.count, is_first ? slot : nullptr);
    release_unsent(routed);
  }
}

// Held by the caller until it stands in a queue.
Routed& Switch::acquire_retained(const RetainedBatch& batch, const mem::Buffer& slice) {
  Routed& routed = routed_.acquire();
  routed.publication = &retained_source_;
  routed.slice = slice.share();
  routed.slice_bytes = static_cast<std::uint32_t>(slice.bytes());
  held_bytes_ += routed.slice_bytes;
  routed.lane = batch.envelope.lane;
  routed.first_seq = batch.envelope.first_seq;
  routed.expires_at = batch.expires_at;
  routed.is_retained = true;
  routed.is_reported = true;  // nobody waits for its outcome
  routed.pending = 1;
  routed.holders = 1;
  ++retained_source_.routed_open;
  return routed;
}

void Switch::release_unsent(Routed& routed) {
  drop_holder(routed);
  if (--routed.pending == 0) finish_outcome(routed);
}

}  // namespace abuzz::delivery
