#include <algorithm>
#include <bit>

#include "bus/base/check.hpp"
#include "bus/delivery/back_off.hpp"
#include "bus/delivery/switch.hpp"

// Groups: what became of the messages that members were dealt.

namespace abuzz::delivery {

namespace {

// So many settled entries may stand between those that are leased before they are taken out.
constexpr std::size_t holes_max = 64;
// A publisher that keeps more batches than this behind a message that failed need not keep that.
constexpr std::size_t spans_kept_max = 1024;

std::uint32_t count_of(std::uint64_t bits) noexcept {
  return static_cast<std::uint32_t>(std::popcount(bits));
}

// Calls `use(first, count)` for messages of the batch that the bits of the lot stand for.
template <class Use>
void for_ranges(const Lot& lot, std::uint64_t bits, Use&& use) {
  while (bits != 0) {
    const BitRange range = take_range(bits);
    use(lot.first + range.first, range.count);
  }
}

}  // namespace

// A batch that is being routed is held by one more.
void Switch::hold_new(Pair& pair, Routed& routed) noexcept {
  ++routed.pending;
  ++routed.holders;
  ++pair.entries;
  if (pair.subscription->policy == Policy::lossless) ++routed.owed;
}

// The same of one that was accepted earlier. Requires: the pair holds it already.
void Switch::hold(Pair& pair, Routed& routed, bool owes) noexcept {
  ++routed.pending;
  ++routed.holders;
  ++pair.entries;
  if (!owes || pair.subscription->policy != Policy::lossless) return;
  Publication& publication = *routed.publication;
  ++publication.spans.at(routed.span - publication.first_span).owed;
}

void Switch::release_hold(Pair& pair, Routed& routed, bool owes) {
  if (owes)
    let_go(pair, routed);
  else
    drop_holder(routed);
  --pair.entries;
  ABUZZ_CHECK(routed.pending > 0);
  const bool is_last = --routed.pending == 0;
  if (is_last || (!routed.is_reported && routed.handled.count() == routed.count))
    finish_outcome(routed);
}

// Nothing of the lot is leased or waits any more.
void Switch::end_lot(Group& group, Lot& lot) {
  if (Train* train = std::exchange(lot.train, nullptr)) {
    for (Routed* piece : train->pieces) release_hold(*lot.pair, *piece, lot.owes);
    train->pieces.clear();
    group.trains_free.push_back(train);
  }
  if (!lot.is_named) group.leases.release(lot);
}

// Ends the lease of messages of a lot, and says which of them were leased, and what part of its
// charge they are.
Switch::Ended Switch::end_lease(Group& group, Lot& lot, std::uint64_t bits) {
  Ended ended;
  ended.bits = group.leases.resolve(lot, bits);
  ended.count = count_of(ended.bits);
  if (ended.count == 0) return ended;
  ended.charge =
      lot.open == 0 ? lot.charge : lot.charge * ended.count / (ended.count + count_of(lot.open));
  lot.charge -= ended.charge;
  group.dealer.note_resolved(*lot.member, ended.count);
  group.leased -= ended.count;
  show_leased(group, *lot.member);
  StatsRow& row = *lot.pair->row;
  row.set(PairCounter::in_flight, row.get(PairCounter::in_flight) - ended.count);
  deal_later(group);
  return ended;
}

// They are out of the group: publishers may send as much more.
void Switch::give_back(Subscription& own, Amount amount) {
  if (own.policy != Policy::lossless) return;
  own.backlog = monus(own.backlog, amount);
  serve_later(own);
}

// The lot gave up some of its messages.
void Switch::leave_lot(Group& group, Lot& lot) {
  if (lot.open != 0) return;
  Pair& pair = *lot.pair;
  Routed& routed = *lot.routed;
  const bool owes = lot.owes;
  end_lot(group, lot);
  release_hold(pair, routed, owes);
}

// A message that fails again and again would have its publisher keep all that came after it. From
// here on the node alone has it.
void Switch::relieve_publisher(Lot& lot) noexcept {
  if (!lot.owes || lot.pair->subscription->policy != Policy::lossless) return;
  const Publication& publication = *lot.routed->publication;
  const Routed& first = lot.train != nullptr ? *lot.train->pieces.front() : *lot.routed;
  if (publication.spans.count() <= spans_kept_max || first.span != publication.first_span) return;
  lot.owes = false;
  if (lot.train != nullptr)
    for (Routed* piece : lot.train->pieces) pass_span(*piece);
  pass_span(*lot.routed);
}

void Switch::acknowledge(Group& group, Lot& lot, std::uint64_t bits) {
  const Ended ended = end_lease(group, lot, bits);
  if (ended.count == 0) return;
  group.own->row->add(SubscriptionCounter::done_no, ended.count);
  lot.member->subscription->row->add(SubscriptionCounter::delivered, ended.count);
  for_ranges(lot, ended.bits, [&](std::uint32_t first, std::uint32_t count) {
    note_delivered(*lot.pair, *lot.routed, first, count, true);
  });
  give_back(*group.own, {ended.count, ended.charge});
  leave_lot(group, lot);
}

void Switch::drop_leased(Group& group, Lot& lot, std::uint64_t bits, DropReason reason) {
  const Ended ended = end_lease(group, lot, bits);
  if (ended.count == 0) return;
  for_ranges(lot, ended.bits, [&](std::uint32_t first, std::uint32_t count) {
    note_dropped(*lot.pair, *lot.routed, first, count, reason);
  });
  lot.member->subscription->row->add(SubscriptionCounter::refused, ended.count);
  give_back(*group.own, {ended.count, ended.charge});
  leave_lot(group, lot);
}

// What a member had when it died, where nothing is tried twice.
void Switch::forget_leased(Group& group, Lot& lot, std::uint64_t bits) {
  const Ended ended = end_lease(group, lot, bits);
  if (ended.count == 0) return;
  for_ranges(lot, ended.bits, [&](std::uint32_t first, std::uint32_t count) {
    note_unknown(*lot.pair, *lot.routed, first, count);
  });
  give_back(*group.own, {ended.count, ended.charge});
  leave_lot(group, lot);
}

// Makes lots of their own of messages whose lease ended, and hands each to `use`, the last first.
template <class Use>
void Switch::split_off(Group& group, Lot& lot, const Ended& ended, Use&& use) {
  std::uint64_t charge = ended.charge;
  std::uint32_t left = ended.count;
  for (std::uint64_t rest = ended.bits; rest != 0;) {
    // From the back, so that what is put in front of the queue one by one keeps its order.
    const auto last = static_cast<std::uint32_t>(63 - std::countl_zero(rest));
    const auto count = static_cast<std::uint32_t>(std::countl_one(rest << (63 - last)));
    const std::uint32_t first = last + 1 - count;
    rest &= ~bits_of(first, count);
    Lot& again = group.leases.acquire();
    copy_facts(lot, again);
    again.first = lot.first + first;
    again.count = count;
    again.charge = left == count ? charge : charge * count / left;
    again.train = std::exchange(lot.train, nullptr);
    charge -= again.charge;
    left -= count;
    hold(*lot.pair, *lot.routed, lot.owes);
    lot.pair->row->add(PairCounter::queued, count);
    use(again);
  }
  leave_lot(group, lot);
}

// An attempt failed. `delay`: until the next one; negative: as back_off says.
void Switch::fail(Group& group, Lot& lot, std::uint64_t bits, FailureCause cause,
                  base::Nanos delay) {
  if (group.is_once()) return forget_leased(group, lot, bits);
  const Ended ended = end_lease(group, lot, bits);
  if (ended.count == 0) return;
  if (cause == FailureCause::lapsed) group.own->row->add(SubscriptionCounter::lapsed, ended.count);
  if (cause == FailureCause::nak) group.own->row->add(SubscriptionCounter::nacked, ended.count);
  const Port& port = *lot.member->subscription->port;
  FailureLog::Item item;
  item.previous = lot.failure;
  item.agent_id = port.agent_id;
  item.at = now_;
  item.attempt = lot.attempt;
  item.cause = cause;
  const std::uint64_t failure = failures_.add(item, port.name);
  const bool is_dead = lot.attempt >= group.terms.attempts_max;
  split_off(group, lot, ended, [&](Lot& again) {
    again.failure = failure;
    again.may_repeat = true;
    again.is_suspect = cause == FailureCause::member_gone;
    if (is_dead) return bury(group, again);
    const base::Nanos span = delay >= 0 ? delay : back_off(again.attempt, random_);
    if (span == 0) return requeue(group, again);
    group.delays.add(again, now_ + span);
  });
}

// It comes back as it went: nobody has tried it.
void Switch::return_untried(Group& group, Lot& lot, std::uint64_t bits) {
  const Ended ended = end_lease(group, lot, bits);
  if (ended.count == 0) return;
  split_off(group, lot, ended, [&](Lot& again) {
    --again.attempt;
    requeue(group, again);
  });
}

// How far a member is. What it handled is acknowledged, unless it says so itself.
void Switch::settle_member(Subscription& subscription, Line& line, std::uint64_t done_no) {
  Group& group = *subscription.group;
  for (std::size_t index = 0; !group.is_manual() && index < line.received_entries; ++index) {
    Entry& entry = line.in_flight.at(index);
    if (entry.first_delivery > done_no) break;
    if (entry.count == 0) continue;
    const std::uint64_t handled = done_no - entry.first_delivery + 1;
    acknowledge(
        group, *entry.lot,
        bits_of(0, static_cast<std::uint32_t>(std::min<std::uint64_t>(handled, entry.count))));
  }
  retire(subscription, line);
}

void Switch::note_handled(Subscription& subscription) {
  std::uint64_t handled = 0;
  for (const Line& line : subscription.lines) handled += line.done_no;
  if (handled == subscription.member->handled) return;
  Dealer::note_handled(*subscription.member, handled);
  deal_later(*subscription.group);
}

// Takes entries out that arrived and of which nothing is leased.
void Switch::retire(Subscription& subscription, Line& line) {
  const auto is_over = [](const Entry& entry) { return entry.count == 0 || entry.lot->open == 0; };
  const auto forget = [&](Entry& entry) {
    if (entry.count > 0) subscription.group->leases.let_go(*entry.lot);
    --line.received_entries;
    ++line.records_settled;
  };
  while (line.received_entries > 0 && is_over(line.in_flight.front())) {
    forget(line.in_flight.front());
    line.in_flight.pop_front();
  }
  if (line.received_entries <= holes_max + 2 * std::size_t{subscription.member->leased}) return;
  std::size_t kept = 0;
  const std::size_t received = line.received_entries;
  for (std::size_t index = 0; index < line.in_flight.count(); ++index) {
    Entry& entry = line.in_flight.at(index);
    if (index < received && is_over(entry)) {
      forget(entry);
      continue;
    }
    if (kept != index) line.in_flight.at(kept) = entry;
    ++kept;
  }
  while (line.in_flight.count() > kept) line.in_flight.pop_back();
}

// What lapsed before it was sent is not sent.
void Switch::drop_over(Subscription& subscription, Line& line) {
  while (!line.queue.is_empty()) {
    const Lot& lot = *line.queue.front().lot;
    if (lot.open != 0 || lot.is_begun) return;
    Entry entry = line.queue.take(line.queue.front());
    const Amount amount{entry.count, entry.charge};
    subscription.queued = subscription.queued - amount;
    queued_ = queued_ - amount;
    subscription.member->dealt = subscription.member->dealt - amount;
    if (entry.count > 0) subscription.group->leases.let_go(*entry.lot);
    drop_holder(*entry.routed);
    deal_later(*subscription.group);
  }
}

// Calls `use(lot, bits)` for what of these deliveries a member was dealt and has not left its line.
template <class Use>
void Switch::for_leased(Line& line, std::uint64_t first_delivery, std::uint64_t count, Use&& use) {
  std::size_t low = 0, high = line.in_flight.count();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const Entry& entry = line.in_flight.at(middle);
    if (entry.first_delivery + entry.count <= first_delivery)
      low = middle + 1;
    else
      high = middle;
  }
  const std::uint64_t end = first_delivery + count;
  for (; low < line.in_flight.count(); ++low) {
    const Entry& entry = line.in_flight.at(low);
    if (entry.first_delivery >= end) break;
    if (entry.count == 0) continue;
    const std::uint64_t from = std::max(entry.first_delivery, first_delivery);
    const std::uint64_t to = std::min(entry.first_delivery + entry.count, end);
    if (from >= to) continue;
    use(*entry.lot, bits_of(static_cast<std::uint32_t>(from - entry.first_delivery),
                            static_cast<std::uint32_t>(to - from)));
  }
}

bool Switch::act(PortId port, const wire::LeaseAct& item, base::Nanos now) {
  now_ = now;
  Subscription* found = find_subscription(port, item.subscription);
  if (found == nullptr) return true;  // it ended meanwhile
  Subscription& subscription = *found;
  Line& line = subscription.line(item.lane);
  const std::uint64_t last = item.first_delivery + item.count - 1;
  if (subscription.member == nullptr || !subscription.group->is_manual() || last > line.sent_no)
    return false;
  Group& group = *subscription.group;
  const base::Nanos delay =
      item.delay_ms == wire::delay_by_node ? -1 : base::Nanos{item.delay_ms} * base::millisecond;
  std::uint64_t known = 0;
  for_leased(line, item.first_delivery, item.count, [&](Lot& lot, std::uint64_t bits) {
    known += count_of(lot.open & bits);
    switch (item.kind) {
      case wire::LeaseWord::ack:
        return acknowledge(group, lot, bits);
      case wire::LeaseWord::nak:
        return fail(group, lot, bits, FailureCause::nak, delay);
      case wire::LeaseWord::in_progress:
        (void)group.leases.extend(lot, bits, group.terms.ack_timeout, now_);
        return;
    }
  });
  if (known < item.count) subscription.row->add(SubscriptionCounter::stale, item.count - known);
  retire(subscription, line);
  return true;
}

void Switch::refuse_leased(Subscription& subscription, const wire::Verdict& item,
                           DropReason reason) {
  Line& line = subscription.line(item.lane);
  for_leased(line, item.first_delivery, item.count, [&](Lot& lot, std::uint64_t bits) {
    drop_leased(*subscription.group, lot, bits, reason);
  });
}

// A member ends: what it was dealt and is not resolved goes to others.
void Switch::leave_group(Subscription& subscription, bool is_death) {
  for (std::size_t index = subscription.lines.size(); index-- > 0;)
    return_line(subscription, subscription.lines[index], is_death);
  Group& group = *subscription.group;
  queued_ = queued_ - subscription.queued;
  subscription.queued = {};
  group.dealer.remove(*subscription.member);
  subscription.member = nullptr;
  subscription.group = nullptr;
  group.own->row->set(SubscriptionCounter::members, group.dealer.count());
  if (group.dealer.count() == 0) group.empty_since = std::max<base::Nanos>(now_, 1);
  deal_later(group);
}

void Switch::return_line(Subscription& subscription, Line& line, bool is_death) {
  Group& group = *subscription.group;
  const auto give_up = [&](Entry& entry, bool was_sent, bool has_bytes) {
    Routed& routed = *entry.routed;
    if (entry.count > 0) {
      Lot& lot = *entry.lot;
      const std::uint64_t handled =
          entry.first_delivery == 0 || line.done_no < entry.first_delivery
              ? 0
              : std::min<std::uint64_t>(line.done_no - entry.first_delivery + 1, entry.count);
      const std::uint64_t tried = bits_of(0, static_cast<std::uint32_t>(handled));
      if (!group.is_manual()) acknowledge(group, lot, tried);
      // Who leaves in order says what it has handled; who dies may have handled all it got.
      const std::uint64_t failed = is_death && was_sent ? ~std::uint64_t{0} : tried;
      return_untried(group, lot, lot.open & ~failed);
      fail(group, lot, failed, FailureCause::member_gone, 0);
      group.leases.let_go(lot);
    }
    if (has_bytes) drop_holder(routed);
  };
  while (!line.queue.is_empty()) {
    std::size_t place = line.queue.places() - 1;
    while (SendQueue<Entry>::is_hole(line.queue.at(place))) --place;
    Entry entry = line.queue.take(line.queue.at(place));
    give_up(entry, entry.first_delivery != 0, true);
  }
  while (!line.in_flight.is_empty()) {
    Entry entry = line.in_flight.back();
    line.in_flight.pop_back();
    const bool has_bytes = line.in_flight.count() >= line.received_entries;
    give_up(entry, true, has_bytes);
  }
  line.received_entries = 0;
}

// Its process does not take what is sent to it: it stands still, whatever its handlers do.
bool Switch::is_stopped(Group& group, Member& member) noexcept {
  std::uint64_t arrived = 0;
  bool is_waiting = false;
  for (const Line& line : member.subscription->lines) {
    arrived += line.records_settled + line.received_entries;
    is_waiting = is_waiting || line.in_flight.count() > line.received_entries;
  }
  if (!is_waiting || member.is_away || arrived != member.arrived) member.deaf_since = 0;
  member.arrived = arrived;
  if (!is_waiting || member.is_away) return false;
  if (member.deaf_since == 0) member.deaf_since = now_;
  return now_ - member.deaf_since > group.own->stall_limit;
}

// Times that are over: of leases, of delays, and of groups without members.
void Switch::look_at_groups() {
  std::vector<Group*> over;
  std::vector<Subscription*> stopped;
  for (auto& [key, group] : groups_) {
    group->leases.look(now_, [&](Lot& lot, std::uint64_t bits) {
      Subscription& member = *lot.member->subscription;
      Line& line = member.line(lot.routed->lane);
      fail(*group, lot, bits, FailureCause::lapsed, -1);
      retire(member, line);
    });
    while (Lot* lot = group->delays.take_due(now_)) {
      if (lot->attempt >= group->terms.attempts_max)
        bury(*group, *lot);  // there was no buffer for its letter
      else
        requeue(*group, *lot);
    }
    group->delays.for_each([&](Lot& lot) { relieve_publisher(lot); });
    if (group->own->has_queue()) deal_later(*group);  // keys spill after some time
    group->dealer.for_each([&](Member& member) {
      if (is_stopped(*group, member)) stopped.push_back(member.subscription);
    });
    const base::Nanos patience = group->is_once() ? 0 : group->own->stall_limit;
    if (group->empty_since != 0 && now_ - group->empty_since >= patience)
      over.push_back(group.get());
  }
  for (Subscription* member : stopped) {
    member->row->add(SubscriptionCounter::stalls);
    end_subscription(*member, DropReason::peer_gone, true);
  }
  for (Group* group : over) end_group(*group, DropReason::peer_gone);
}

}  // namespace abuzz::delivery
