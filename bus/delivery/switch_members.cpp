#include <algorithm>

#include "bus/delivery/switch.hpp"

// Groups: what members say, how far they are, and how they go.

namespace abuzz::delivery {

namespace {

// So many settled entries may stand between those that are leased before they are taken out.
constexpr std::size_t holes_max = 64;

}  // namespace

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
