#include <algorithm>

#include "bus/base/check.hpp"
#include "bus/delivery/switch.hpp"

// Deliveries going out, and what became of them.

namespace abuzz::delivery {

PortId Switch::next_output() {
  while (!outputs_.is_empty()) {
    const PortId id = outputs_.front();
    outputs_.pop_front();
    Port* port = find_port(id);
    if (port == nullptr) continue;
    port->has_output = false;
    if (port->suspended_since == 0) return id;
  }
  return 0;
}

// Whether the window of the subscription takes this entry. A train reserves its whole charge at its
// first chunk; a single unit larger than the window may go when nothing else is under way.
bool Switch::has_room(const Subscription& subscription, const Entry& entry) const noexcept {
  const Amount used = subscription.sent - subscription.consumed;
  if (used.messages == 0 && used.bytes == 0) return true;
  if (entry.routed->charge == 0) return true;
  return (used + Amount{entry.count, entry.routed->charge}).fits(subscription.window);
}

// Chooses what goes next: the oldest entry, or, while the window has no room for it, the next piece
// of a train that was begun. Its room is reserved, and only its end makes room for others.
bool Switch::choose(Subscription& subscription) const noexcept {
  subscription.next = 0;
  if (has_room(subscription, subscription.queue.front())) return true;
  for (std::size_t index = 1; index < subscription.queue.count(); ++index) {
    const Entry& entry = subscription.queue.at(index);
    if (!entry.pair->sends_train) continue;
    subscription.next = index;
    return true;
  }
  return false;
}

bool Switch::peek(PortId id, Outgoing& outgoing) {
  Port* port = find_port(id);
  if (port == nullptr || port->suspended_since != 0) return false;
  while (!port->ready.empty()) {
    if (port->next_ready >= port->ready.size()) port->next_ready = 0;
    Subscription& subscription = *port->ready[port->next_ready];
    const bool has_next = !subscription.queue.is_empty() && !subscription.is_paused;
    if (has_next && choose(subscription)) {
      const Entry& entry = subscription.queue.at(subscription.next);
      outgoing.routed = entry.routed;
      outgoing.subscription = subscription.handle;
      outgoing.first = entry.first;
      outgoing.count = entry.count;
      outgoing.first_delivery =
          entry.first_delivery != 0 ? entry.first_delivery : subscription.sent_no + 1;
      return true;
    }
    if (has_next && subscription.blocked_since == 0) subscription.blocked_since = now_;
    subscription.is_ready = false;
    port->ready[port->next_ready] = port->ready.back();
    port->ready.pop_back();
  }
  return false;
}

void Switch::mark_sent(PortId id) {
  Port& port = *find_port(id);
  Subscription& subscription = *port.ready[port.next_ready];
  Entry entry = subscription.queue.take(subscription.next);
  if (entry.routed->first_of_train) entry.pair->sends_train = true;
  if (entry.count > 0 || entry.routed->aborts) entry.pair->sends_train = false;
  const Amount amount{entry.count, entry.routed->charge};
  subscription.queued = subscription.queued - amount;
  queued_ = queued_ - amount;
  subscription.sent = subscription.sent + amount;
  if (entry.first_delivery == 0) {
    entry.first_delivery = subscription.sent_no + 1;
    subscription.sent_no += entry.count;
    subscription.row->set(SubscriptionCounter::sent_no, subscription.sent_no);
  }
  ++subscription.records_sent;
  subscription.in_flight.push_back(std::move(entry));
  ++port.next_ready;  // the next one in turn
}

// A subscriber's process has these bytes: nobody needs them here any more. Records are counted as
// they were sent, so that a chunk or an abort is as exact a mark as a message.
void Switch::release_received(Subscription& subscription, std::uint64_t received_no) {
  while (subscription.received_entries < subscription.in_flight.count() &&
         subscription.records_settled + subscription.received_entries < received_no) {
    Entry& entry = subscription.in_flight.at(subscription.received_entries);
    if (entry.pair != nullptr) drop_holder(*entry.routed);
    ++subscription.received_entries;
  }
  subscription.row->set(SubscriptionCounter::received_no, received_no);
}

void Switch::drop_holder(Routed& routed) {
  ABUZZ_CHECK(routed.holders > 0);
  if (--routed.holders == 0) routed.slice.reset();
}

bool Switch::settle(PortId port, const wire::Settle& item, base::Nanos now) {
  now_ = now;
  Subscription* found = find_subscription(port, item.subscription);
  if (found == nullptr) return true;  // it ended meanwhile
  Subscription& subscription = *found;
  if (item.received_no > subscription.records_sent || item.done_no > subscription.sent_no ||
      item.consumed_messages > subscription.sent.messages ||
      item.consumed_bytes > subscription.sent.bytes)
    return false;
  release_received(subscription, item.received_no);
  while (subscription.received_entries > 0 && item.done_no > 0) {
    Entry& entry = subscription.in_flight.front();
    const std::uint64_t last = entry.first_delivery + std::max(entry.count, 1u) - 1;
    if (last > item.done_no) break;
    complete(subscription, entry, entry.count, DropReason::corrupt);
    subscription.in_flight.pop_front();
    --subscription.received_entries;
    ++subscription.records_settled;
  }
  if (item.done_no > subscription.done_no) {
    subscription.done_no = item.done_no;
    subscription.row->set(SubscriptionCounter::done_no, item.done_no);
  }
  const Amount consumed{std::max(subscription.consumed.messages, item.consumed_messages),
                        std::max(subscription.consumed.bytes, item.consumed_bytes)};
  const Amount returned = consumed - subscription.consumed;
  if (returned.messages > 0 || returned.bytes > 0) {
    subscription.consumed = consumed;
    subscription.blocked_since = 0;
    if (subscription.policy == Policy::lossless) {
      subscription.backlog = monus(subscription.backlog, returned);
      if (!subscription.wants_service && !subscription.hungry.is_empty()) {
        subscription.wants_service = true;
        hungry_.push_back(&subscription);
      }
    }
    if (!subscription.queue.is_empty()) note_ready(subscription);
  }
  return true;
}

// The subscriber could not use these deliveries; they count as dropped, not as delivered.
bool Switch::refuse(PortId port, const wire::Verdict& item) {
  Subscription* found = find_subscription(port, item.subscription);
  if (found == nullptr) return true;
  Subscription& subscription = *found;
  if (item.count == 0 || item.first_delivery + item.count - 1 > subscription.sent_no) return false;
  const std::uint64_t end = item.first_delivery + item.count;
  for (std::size_t index = 0; index < subscription.in_flight.count(); ++index) {
    Entry& entry = subscription.in_flight.at(index);
    if (entry.first_delivery < item.first_delivery || entry.count == 0) continue;
    if (entry.first_delivery + entry.count > end) break;
    if (entry.pair == nullptr) continue;
    if (index >= subscription.received_entries) drop_holder(*entry.routed);
    complete(subscription, entry, 0, DropReason::corrupt);
    entry.pair = nullptr;  // settled: the settle that follows finds nothing left to count
  }
  return true;
}

// Settles one entry: `delivered` of its messages were handled, the others dropped for `reason`.
void Switch::complete(Subscription& subscription, Entry& entry, std::uint32_t delivered,
                      DropReason reason) {
  if (entry.pair == nullptr) return;
  Pair& pair = *entry.pair;
  Routed& routed = *entry.routed;
  const std::uint32_t dropped = entry.count - delivered;
  pair.row->add(PairCounter::delivered, delivered);
  pair.row->set(PairCounter::queued, pair.row->get(PairCounter::queued) - entry.count);
  if (dropped > 0) {
    static constexpr PairCounter pair_counters[] = {
        PairCounter::dropped_queue_full, PairCounter::dropped_peer_gone,
        PairCounter::dropped_shutdown, PairCounter::dropped_corrupt};
    static constexpr SubscriptionCounter counters[] = {
        SubscriptionCounter::dropped_queue_full, SubscriptionCounter::dropped_peer_gone,
        SubscriptionCounter::dropped_shutdown, SubscriptionCounter::dropped_corrupt};
    pair.row->add(pair_counters[static_cast<std::size_t>(reason)], dropped);
    subscription.row->add(counters[static_cast<std::size_t>(reason)], dropped);
  }
  if (delivered > 0) routed.delivered = std::max(routed.delivered, entry.first + delivered);
  --pair.entries;
  ABUZZ_CHECK(routed.pending > 0);
  if (--routed.pending == 0 || (routed.delivered == routed.count && !routed.is_reported))
    finish_outcome(routed);
}

// Counts what became of a batch once that is known: at the latest when every entry is settled, and
// already when one subscription has handled all of it. Frees it when nobody needs it.
void Switch::finish_outcome(Routed& routed) {
  Publication& publication = *routed.publication;
  if (!routed.is_reported) {
    routed.is_reported = true;
    const std::uint32_t dropped = routed.count - routed.delivered;
    const std::uint32_t delivered = routed.delivered - routed.skipped;
    publication.delivered += delivered;
    publication.dropped += dropped;
    publication.row->add(PublicationCounter::delivered, delivered);
    publication.row->add(PublicationCounter::dropped, dropped);
    if (publication.tells_at_once) note(publication);
  }
  if (routed.pending > 0) return;
  ABUZZ_CHECK(routed.holders == 0);
  routed_.release(routed);
  --publication.routed_open;
  if (publication.is_withdrawn) free_departed(publication);
}

}  // namespace abuzz::delivery
