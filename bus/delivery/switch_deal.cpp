#include <algorithm>
#include <utility>

#include "bus/base/check.hpp"
#include "bus/delivery/switch.hpp"

// Groups: who of the members gets what.

namespace abuzz::delivery {

namespace {

// Of a queue in which keys wait for their members, so many places are looked at in one go.
constexpr std::size_t places_looked_at_max = 1024;
// Dealt before another lane may have its turn.
constexpr std::size_t entries_a_turn = 16;

}  // namespace

void Switch::deal_later(Group& group) {
  if (group.wants_dealing) return;
  group.wants_dealing = true;
  dealing_.push_back(&group);
}

void Switch::deal_groups() {
  for (std::size_t index = 0; index < dealing_.size(); ++index) {
    Group& group = *dealing_[index];
    group.wants_dealing = false;
    if (group.dealer.count() == 0) continue;
    deal(group);
  }
  dealing_.clear();
}

// The higher lanes first, but none starves.
void Switch::deal(Group& group) {
  LaneTurn::Waiting allowed = LaneTurn::all;
  while (true) {
    LaneTurn::Waiting waiting = 0;
    for (std::size_t lane = 0; lane < wire::data_lanes; ++lane)
      if (!group.own->lines[lane].queue.is_empty()) waiting |= LaneTurn::bit(lane);
    waiting &= allowed;
    if (waiting == 0) return;
    const std::size_t lane = group.turn.next(waiting, now_);
    const std::uint64_t bytes = deal_some(group, group.own->lines[lane]);
    if (bytes > 0) {
      group.turn.note_served(lane, bytes);
    } else if (!group.own->lines[lane].queue.is_empty()) {
      // Who has room for less is kept for what comes next, but for keys of others.
      if (!group.dealer.is_sticky()) return;
      allowed = LaneTurn::without(allowed, lane);
    }
  }
}

// Deals a few entries of a line. Returns their bytes; 0 when nobody has room for what comes next.
std::uint64_t Switch::deal_some(Group& group, Line& line) {
  SendQueue<Entry>& queue = line.queue;
  Subscription& own = *group.own;
  std::uint64_t bytes = 0;
  std::size_t entries = 0, place = 0;
  while (place < queue.places() && place < places_looked_at_max && entries < entries_a_turn) {
    Entry& entry = queue.at(place);
    if (SendQueue<Entry>::is_hole(entry)) {
      ++place;
      continue;
    }
    const std::size_t places = queue.places();
    if (is_expired(entry)) {
      drop_queued(own, entry, entry.count, DropReason::expired);
    } else {
      Dealer::Offer offer{0, entry.charge, false};
      if (entry.lot != nullptr) offer = {entry.lot->key, entry.charge, entry.lot->is_suspect};
      Member* member = group.dealer.choose(offer, random_, now_);
      if (member == nullptr && !group.dealer.is_sticky()) return bytes;
      if (member == nullptr) {
        ++place;
        continue;
      }
      const std::uint32_t most =
          offer.is_suspect ? 1 : group.dealer.run_length(*member, own.queued.messages);
      bytes += std::max<std::uint64_t>(entry.charge, 1);
      ++entries;
      deal_to(group, *member, entry, std::min(entry.count, most));
    }
    // Places may have moved.
    if (queue.places() != places) place = 0;
  }
  return bytes;
}

// Takes the first `count` messages of an entry that waits, as a lot.
Lot& Switch::take_lot(Group& group, Entry& entry, std::uint32_t count) {
  Subscription& own = *group.own;
  if (count == entry.count) {
    Entry taken = own.line(entry.routed->lane).queue.take(entry);
    forget_place(own, taken);
    Lot& lot = taken.lot != nullptr ? *taken.lot : group.leases.acquire();
    if (taken.lot == nullptr) {
      lot.routed = taken.routed;
      lot.pair = taken.pair;
    }
    lot.first = taken.first;
    lot.count = taken.count;
    lot.charge = taken.charge;
    return lot;
  }
  Lot& lot = group.leases.acquire();
  if (entry.lot != nullptr) copy_facts(*entry.lot, lot);
  lot.routed = entry.routed;
  lot.pair = entry.pair;
  lot.first = entry.first;
  lot.count = count;
  lot.charge = entry.charge * count / entry.count;
  entry.first += count;
  entry.count -= count;
  entry.charge -= lot.charge;
  hold(*lot.pair, *lot.routed, lot.owes);
  return lot;
}

void Switch::copy_facts(const Lot& from, Lot& to) noexcept {
  to.routed = from.routed;
  to.pair = from.pair;
  to.key = from.key;
  to.attempt = from.attempt;
  to.failure = from.failure;
  to.may_repeat = from.may_repeat;
  to.is_suspect = from.is_suspect;
  to.owes = from.owes;
}

void Switch::deal_to(Group& group, Member& member, Entry& entry, std::uint32_t count) {
  Subscription& own = *group.own;
  Lot& lot = take_lot(group, entry, count);
  const Amount amount{lot.count, lot.charge};
  own.queued = own.queued - amount;
  queued_ = queued_ - amount;
  StatsRow& row = *lot.pair->row;
  row.set(PairCounter::queued, row.get(PairCounter::queued) - lot.count);
  row.add(PairCounter::in_flight, lot.count);
  ++lot.attempt;
  lot.member = &member;
  lot.is_begun = false;
  if (lot.attempt > 1) own.row->add(SubscriptionCounter::redelivered, lot.count);
  group.leases.lease(lot, group.terms.ack_timeout, now_);
  // The member's credit is counted as it counts itself.
  Amount carried;
  if (lot.train != nullptr)
    for (Routed* piece : lot.train->pieces)
      carried = carried + carry(*member.subscription, *piece, lot, 0);
  lot.is_named = true;
  carried = carried + carry(*member.subscription, *lot.routed, lot, lot.count);
  group.dealer.note_dealt(member, carried, now_);
  member.has_suspect = lot.is_suspect;
  group.leased += lot.count;
  show_leased(group, member);
}

// Puts what was dealt into the line of the member.
Amount Switch::carry(Subscription& member, Routed& routed, Lot& lot, std::uint32_t count) {
  Entry entry;
  entry.routed = &routed;
  entry.lot = &lot;
  entry.first = count == 0 ? 0 : lot.first;
  entry.count = count;
  entry.charge = charge_of(routed, count);
  const Amount amount{count, entry.charge};
  member.queued = member.queued + amount;
  queued_ = queued_ + amount;
  ++routed.holders;
  (void)member.line(routed.lane).queue.push_back(std::move(entry));
  note_ready(member, routed.lane);
  return amount;
}

void Switch::show_leased(Group& group, const Member& member) noexcept {
  group.own->row->set(SubscriptionCounter::leased, group.leased);
  member.subscription->row->set(SubscriptionCounter::leased, member.leased);
}

}  // namespace abuzz::delivery
