#include <algorithm>

#include "bus/base/check.hpp"
#include "bus/delivery/switch.hpp"
#include "bus/wire/life.hpp"

// Deliveries going out, and what became of them.

namespace abuzz::delivery {

PortId Switch::next_output(std::uint32_t shard) {
  while (has_output(shard)) {
    const PortId id = outputs_[shard].front();
    outputs_[shard].pop_front();
    Port* port = find_port(id);
    if (port == nullptr || port->shard != shard) continue;  // it ended, or has moved
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
  if (entry.charge == 0) return true;
  return (used + Amount{entry.count, entry.charge})
      .fits(part_of(subscription, subscription.window, entry.routed->lane));
}

// Chooses what of a line goes next: the oldest entry, or, while the window has no room for it, the
// next piece of a train that was begun. Its room is reserved, and only its end makes room for
// others. Requires: something is queued.
bool Switch::choose(const Subscription& subscription, Line& line,
                    std::size_t& place) const noexcept {
  place = 0;
  if (has_room(subscription, line.queue.front())) return true;
  for (std::size_t index = 1; index < line.queue.places(); ++index) {
    const Entry& entry = line.queue.at(index);
    if (SendQueue<Entry>::is_hole(entry) || entry.pair == nullptr || !entry.pair->sends_train)
      continue;
    place = index;
    return true;
  }
  return false;
}

void Switch::drop_expired_heads(Subscription& subscription, Line& line) {
  if (subscription.expiring == 0) return;
  while (!line.queue.is_empty() && is_expired(line.queue.front()))
    drop_queued(subscription, line.queue.front(), line.queue.front().count, DropReason::expired);
}

// HOT: shard thread, once a batch and subscriber.
bool Switch::peek(PortId id, Outgoing& outgoing, LaneTurn::Waiting allowed) {
  Port* port = find_port(id);
  if (port == nullptr || port->suspended_since != 0) return false;
  while (true) {
    LaneTurn::Waiting waiting = 0;
    for (std::size_t lane = 0; lane < wire::data_lanes; ++lane)
      if (!port->ready[lane].subscriptions.empty()) waiting |= LaneTurn::bit(lane);
    waiting &= allowed;
    if (waiting == 0) return false;
    const std::size_t lane = port->turn.next(waiting, now_);
    if (!peek_lane(*port, lane)) continue;
    const Port::Ready& ready = port->ready[lane];
    Subscription& subscription = *ready.subscriptions[ready.next];
    Line& line = subscription.lines[lane];
    const Entry& entry = line.queue.at(port->chosen_place);
    outgoing.routed = entry.routed;
    outgoing.subscription = subscription.handle;
    outgoing.first = entry.first;
    outgoing.count = entry.count;
    outgoing.ttl_left_ms = wire::ttl_left_ms(entry.routed->expires_at, now_);
    outgoing.attempt =
        entry.lot == nullptr ? std::uint16_t{0} : static_cast<std::uint16_t>(entry.lot->attempt);
    outgoing.may_repeat =
        entry.lot != nullptr && (entry.lot->may_repeat || entry.routed->may_repeat);
    outgoing.first_delivery = entry.first_delivery != 0 ? entry.first_delivery : line.sent_no + 1;
    return true;
  }
}

// Turns to the first subscription that has something of the lane to send; false for none.
bool Switch::peek_lane(Port& port, std::size_t lane) {
  Port::Ready& ready = port.ready[lane];
  while (!ready.subscriptions.empty()) {
    if (ready.next >= ready.subscriptions.size()) ready.next = 0;
    Subscription& subscription = *ready.subscriptions[ready.next];
    Line& line = subscription.lines[lane];
    drop_expired_heads(subscription, line);
    if (subscription.member != nullptr) drop_over(subscription, line);
    const bool has_next = !line.queue.is_empty() && !subscription.is_paused;
    if (has_next && choose(subscription, line, port.chosen_place)) {
      port.chosen_lane = lane;
      return true;
    }
    if (has_next && subscription.blocked_since == 0) subscription.blocked_since = now_;
    line.is_ready = false;
    ready.subscriptions[ready.next] = ready.subscriptions.back();
    ready.subscriptions.pop_back();
  }
  return false;
}

void Switch::mark_sent(PortId id) {
  Port& port = *find_port(id);
  Port::Ready& ready = port.ready[port.chosen_lane];
  Subscription& subscription = *ready.subscriptions[ready.next];
  Line& line = subscription.lines[port.chosen_lane];
  Entry entry = line.queue.take(line.queue.at(port.chosen_place));
  forget_place(subscription, entry);
  const Amount amount{entry.count, entry.charge};
  subscription.queued = subscription.queued - amount;
  queued_ = queued_ - amount;
  subscription.sent = subscription.sent + amount;
  if (entry.first_delivery == 0) {
    entry.first_delivery = line.sent_no + 1;
    line.sent_no += entry.count;
    subscription.row->add(SubscriptionCounter::sent_no, entry.count);
  }
  if (entry.pair != nullptr) {
    if (entry.routed->first_of_train) entry.pair->sends_train = true;
    if (entry.count > 0 || entry.routed->aborts) entry.pair->sends_train = false;
    StatsRow& row = *entry.pair->row;
    row.set(PairCounter::queued, row.get(PairCounter::queued) - entry.count);
    row.add(PairCounter::in_flight, entry.count);
  }
  if (entry.lot != nullptr) entry.lot->is_begun = true;
  entry.is_sent = true;
  ++line.records_sent;
  port.turn.note_served(port.chosen_lane, entry.routed->slice_bytes);
  line.in_flight.push_back(std::move(entry));
  ++ready.next;  // the next one in turn
}

// A subscriber's process has these bytes: nobody needs them here any more. Records are counted as
// they were sent, so that a chunk or an abort is as exact a mark as a message.
void Switch::release_received(Line& line, std::uint64_t received_no) {
  while (line.received_entries < line.in_flight.count() &&
         line.records_settled + line.received_entries < received_no) {
    Entry& entry = line.in_flight.at(line.received_entries);
    let_go(entry);
    ++line.received_entries;
  }
}

// The counters know no lanes.
void Switch::show_numbers(Subscription& subscription) noexcept {
  std::uint64_t received = 0, done = 0;
  for (const Line& line : subscription.lines) {
    received += line.records_settled + line.received_entries;
    done += line.done_no;
  }
  subscription.row->set(SubscriptionCounter::received_no, received);
  subscription.row->set(SubscriptionCounter::done_no, done);
}

// The entry need not be sent, or sent again.
void Switch::let_go(const Entry& entry) {
  const bool owes = entry.pair != nullptr && (entry.lot == nullptr || entry.lot->owes);
  if (owes) return let_go(*entry.pair, *entry.routed);
  if (entry.lot != nullptr) drop_holder(*entry.routed);
}

void Switch::let_go(Pair& pair, Routed& routed) {
  if (pair.subscription->policy == Policy::lossless && !routed.is_retained) pass_span(routed);
  drop_holder(routed);
}

void Switch::pass_span(Routed& routed) noexcept {
  Publication& publication = *routed.publication;
  Ring<Span>& spans = publication.spans;
  --spans.at(routed.span - publication.first_span).owed;
  while (!spans.is_empty() && spans.front().owed == 0) {
    publication.settled_seq = spans.front().last_seq;
    spans.pop_front();
    ++publication.first_span;
  }
}

void Switch::drop_holder(Routed& routed) {
  ABUZZ_CHECK(routed.holders > 0);
  if (--routed.holders > 0) return;
  held_bytes_ -= routed.slice.bytes();
  routed.slice.reset();
  if (routed.pending == 0) release(routed);
}

bool Switch::settle(PortId port, const wire::Settle& item, base::Nanos now) {
  now_ = now;
  Subscription* found = find_subscription(port, item.subscription);
  if (found == nullptr) return true;  // it ended meanwhile
  Subscription& subscription = *found;
  Line& line = subscription.line(item.lane);
  if (item.received_no > line.records_sent || item.done_no > line.sent_no ||
      item.consumed_messages > subscription.sent.messages ||
      item.consumed_bytes > subscription.sent.bytes)
    return false;
  release_received(line, item.received_no);
  if (subscription.member != nullptr)
    settle_member(subscription, line, item.done_no);
  else
    settle_entries(line, item.done_no);
  line.done_no = std::max(line.done_no, item.done_no);
  show_numbers(subscription);
  if (subscription.member != nullptr) note_handled(subscription);
  const Amount consumed{std::max(subscription.consumed.messages, item.consumed_messages),
                        std::max(subscription.consumed.bytes, item.consumed_bytes)};
  const Amount returned = consumed - subscription.consumed;
  if (returned.messages > 0 || returned.bytes > 0) {
    subscription.consumed = consumed;
    subscription.blocked_since = 0;
    if (subscription.member != nullptr) {
      subscription.group->dealer.note_taken(*subscription.member, consumed, now_);
      deal_later(*subscription.group);
    }
    if (subscription.policy == Policy::lossless) {
      subscription.backlog = monus(subscription.backlog, returned);
      serve_later(subscription);
    }
    note_all_ready(subscription);
  }
  return true;
}

void Switch::settle_entries(Line& line, std::uint64_t done_no) {
  while (line.received_entries > 0 && done_no > 0) {
    Entry& entry = line.in_flight.front();
    const std::uint64_t last = entry.first_delivery + std::max(entry.count, 1u) - 1;
    if (last > done_no) break;
    complete(entry, entry.count, DropReason::corrupt);
    line.in_flight.pop_front();
    --line.received_entries;
    ++line.records_settled;
  }
}

// The subscriber did not handle these deliveries; they count as dropped, not as delivered. Of what
// it passed over nobody knows.
bool Switch::refuse(PortId port, const wire::Verdict& item) {
  Subscription* found = find_subscription(port, item.subscription);
  if (found == nullptr) return true;
  Subscription& subscription = *found;
  const std::uint64_t end = item.first_delivery + item.count;
  Line& line = subscription.line(item.lane);
  if (item.count == 0 || end - 1 > line.sent_no) return false;
  const DropReason reason =
      item.reason == number(Error::expired) ? DropReason::expired : DropReason::corrupt;
  if (subscription.member != nullptr) {
    // Members get messages in no order: none is passed over.
    if (item.reason != wire::verdict_passed_over) refuse_leased(subscription, item, reason);
    return true;
  }
  for (std::size_t index = 0; index < line.in_flight.count(); ++index) {
    Entry& entry = line.in_flight.at(index);
    if (entry.pair == nullptr || entry.count == 0) continue;
    if (entry.first_delivery >= end) break;
    const std::uint64_t from = std::max(entry.first_delivery, item.first_delivery);
    const std::uint64_t to = std::min(entry.first_delivery + entry.count, end);
    if (from >= to) continue;
    if (item.reason == wire::verdict_passed_over) {
      entry.passed_count = static_cast<std::uint32_t>(to - entry.first_delivery);
      continue;
    }
    // One range for each entry: what is refused twice was counted.
    if (entry.refused_count > 0) continue;
    entry.refused_first = static_cast<std::uint32_t>(from - entry.first_delivery);
    entry.refused_count = static_cast<std::uint32_t>(to - from);
    note_dropped(*entry.pair, *entry.routed, entry.first + entry.refused_first, entry.refused_count,
                 reason);
    StatsRow& row = *entry.pair->row;
    row.set(PairCounter::in_flight, row.get(PairCounter::in_flight) - entry.refused_count);
    subscription.row->add(SubscriptionCounter::refused, entry.refused_count);
  }
  return true;
}

// Settles one entry: of its messages the first `handled` were handled, but for those that were
// refused, and the others dropped for `reason`; but what a subscriber had when it died without a
// goodbye may have been handled.
void Switch::complete(Entry& entry, std::uint32_t handled, DropReason reason) {
  if (entry.pair == nullptr) return;
  Pair& pair = *entry.pair;
  Routed& routed = *entry.routed;
  const std::uint32_t refused_end = entry.refused_first + entry.refused_count;
  const bool is_unknown =
      entry.is_sent && reason == DropReason::peer_gone && !pair.subscription->port->said_goodbye;
  const auto say = [&](std::uint32_t from, std::uint32_t to) {  // indexes in the entry
    const std::uint32_t middle = std::clamp(handled, from, to);
    const std::uint32_t passed = std::clamp(entry.passed_count, from, middle);
    // An earlier node delivered these, and did not live to hear what became of them.
    note_unknown(pair, routed, entry.first + from, passed - from, PairCounter::unknown_node_lost);
    note_delivered(pair, routed, entry.first + passed, middle - passed);
    if (is_unknown)
      note_unknown(pair, routed, entry.first + middle, to - middle, PairCounter::unknown_peer_gone);
    else
      note_dropped(pair, routed, entry.first + middle, to - middle, reason);
  };
  if (entry.refused_count == 0) {
    say(0, entry.count);
  } else {
    say(0, entry.refused_first);
    say(refused_end, entry.count);
  }
  if (entry.lot != nullptr) end_lot(*pair.subscription->group, *entry.lot);
  const PairCounter place = entry.is_sent ? PairCounter::in_flight : PairCounter::queued;
  pair.row->set(place, pair.row->get(place) - (entry.count - entry.refused_count));
  --pair.entries;
  ABUZZ_CHECK(routed.pending > 0);
  const bool is_last = --routed.pending == 0;
  if (is_last || (!routed.is_reported && routed.handled.count() == routed.count))
    finish_outcome(routed);
}

// Counts what became of a batch once that is known: at the latest when every entry is settled, and
// already when one subscription has handled all of it. Frees it when nobody needs it.
void Switch::finish_outcome(Routed& routed) {
  Publication& publication = *routed.publication;
  if (!routed.is_reported) {
    routed.is_reported = true;
    count_outcome(publication, routed);
    if (publication.tells_at_once) note(publication);
  }
  // Entries on their way to a member of a group may still hold the bytes.
  if (routed.pending == 0 && routed.holders == 0) release(routed);
}

void Switch::release(Routed& routed) {
  Publication& publication = *routed.publication;
  routed_.release(routed);
  --publication.routed_open;
  if (publication.is_withdrawn) free_departed(publication);
}

}  // namespace abuzz::delivery
