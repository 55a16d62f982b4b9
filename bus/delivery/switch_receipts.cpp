#include "bus/delivery/switch.hpp"

// What subscriptions say of each message, for the ledger and for the publisher: handled, dropped,
// unknown.

namespace abuzz::delivery {

// The batch asks for receipts: `takers` subscriptions will speak of each message from `skip` on.
void Switch::open_receipts(Publication& publication, Routed& routed, std::uint32_t skip,
                           std::uint32_t takers) {
  if (!publication.receipts) publication.receipts = std::make_unique<ReceiptBook>();
  ReceiptBook& book = *publication.receipts;
  routed.receipts = book.open(routed.first_seq, skip, routed.count, takers);
  publication.row->set(PublicationCounter::receipts_asked, book.asked_count());
  note_receipts(publication);
}

void Switch::note_receipts(Publication& publication) {
  const ReceiptBook& book = *publication.receipts;
  publication.row->set(PublicationCounter::receipts_settled, book.settled_count());
  if (book.has_untold()) note(publication);
}

void Switch::note_delivered(Pair& pair, Routed& routed, std::uint32_t first, std::uint32_t count) {
  if (count == 0) return;
  pair.row->add(PairCounter::delivered, count);
  pair.subscription->row->add(SubscriptionCounter::delivered, count);
  routed.handled.add(first, count);
  if (routed.receipts == nullptr) return;
  routed.publication->receipts->delivered(routed.receipts, first, count);
  note_receipts(*routed.publication);
}

void Switch::note_dropped(Pair& pair, Routed& routed, std::uint32_t first, std::uint32_t count,
                          DropReason reason) {
  if (count == 0) return;
  count_dropped(pair, count, reason);
  if (!routed.is_reported) routed.losses.add_dropped(first, count, reason);
  if (routed.receipts == nullptr) return;
  routed.publication->receipts->dropped(routed.receipts, first, count, reason);
  note_receipts(*routed.publication);
}

void Switch::note_unknown(Pair& pair, Routed& routed, std::uint32_t first, std::uint32_t count,
                          PairCounter reason) {
  if (count == 0) return;
  count_unknown(pair, count, reason);
  if (!routed.is_reported) routed.losses.add_unknown(first, count);
  if (routed.receipts == nullptr) return;
  routed.publication->receipts->unknown(routed.receipts, first, count);
  note_receipts(*routed.publication);
}

// What became of the messages of a batch, each counted once.
void Switch::count_outcome(Publication& publication, const Routed& routed) {
  const std::uint32_t delivered = routed.handled.count() - routed.skipped;
  publication.delivered += delivered;
  publication.row->add(PublicationCounter::delivered, delivered);
  if (routed.handled.count() == routed.count) return;
  const Losses::Sums lost = routed.losses.sum(routed.handled, routed.count);
  publication.unknown += lost.unknown;
  publication.row->add(PublicationCounter::unknown_outcome, lost.unknown);
  for (std::size_t reason = 0; reason < drop_reason_count; ++reason)
    count_dropped_by_all(publication, lost.dropped_by[reason], static_cast<DropReason>(reason));
}

// Dropped by every subscription that matched, or void.
void Switch::count_dropped_by_all(Publication& publication, std::uint64_t count,
                                  DropReason reason) noexcept {
  publication.dropped += count;
  publication.dropped_by[static_cast<std::size_t>(reason)] += count;
  publication.row->add(PublicationCounter::dropped, count);
}

void Switch::tell_drops(Publication& publication, wire::ControlBuilder& control) {
  for (std::size_t reason = 0; reason < drop_reason_count; ++reason) {
    const std::uint64_t count = publication.dropped_by[reason];
    if (count == publication.dropped_by_told[reason]) continue;
    publication.dropped_by_told[reason] = count;
    control.add(wire::Drops{publication.handle, static_cast<DropReason>(reason), count});
  }
}

// As many as the record has room for; the others with the next one.
void Switch::tell_receipts(Publication& publication, wire::ControlBuilder& control) {
  if (!publication.receipts) return;
  ReceiptBook& book = *publication.receipts;
  while (const wire::Receipt* run = book.peek()) {
    if (control.bytes_estimate() >= wire::control_bytes_max) return note(publication);
    wire::Receipt item = *run;
    item.publication = publication.handle;
    control.add(item);
    book.mark_told();
  }
}

}  // namespace abuzz::delivery
