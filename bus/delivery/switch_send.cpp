#include <utility>

#include "bus/delivery/switch.hpp"
#include "bus/wire/life.hpp"

// Deliveries going out: whose turn it is, and what of it.

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

}  // namespace abuzz::delivery
