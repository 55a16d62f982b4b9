#include <algorithm>

#include "bus/base/check.hpp"
#include "bus/delivery/switch.hpp"
#include "bus/wire/life.hpp"

// What became of the deliveries that went out.

namespace abuzz::delivery {

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
