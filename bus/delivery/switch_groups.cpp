#include <algorithm>

#include "bus/base/check.hpp"
#include "bus/delivery/switch.hpp"
#include "bus/topic.hpp"

// Groups: who is a member, and what waits for them.

namespace abuzz::delivery {

namespace {

bool is_group_name(std::string_view name) noexcept {
  if (name.starts_with('$')) name.remove_prefix(1);
  return check_agent_name(name) == TopicFault::none;
}

GroupTerms terms_of(const wire::Subscribe& item) noexcept {
  GroupTerms terms;
  terms.mode = static_cast<GroupMode>(item.group_mode);
  terms.policy = static_cast<Policy>(item.policy);
  terms.ack_timeout = base::Nanos{item.ack_ms} * base::millisecond;
  terms.attempts_max = item.attempts_max;
  return terms;
}

}  // namespace

std::uint16_t Switch::check_group(const wire::Subscribe& item) const noexcept {
  if (item.group.empty()) return 0;
  if (!is_group_name(item.group)) return number(Error::bad_agent_name);
  constexpr std::uint32_t ack_ms_min = 100, ack_ms_max = 3'600'000, attempts_most = 1000;
  const bool has_bad_ack =
      item.ack_ms != 0 && (item.ack_ms < ack_ms_min || item.ack_ms > ack_ms_max);
  if (item.policy == static_cast<std::uint8_t>(Policy::latest) || has_bad_ack ||
      item.attempts_max == 0 || item.attempts_max > attempts_most)
    return number(Error::bad_bound);
  if (own_port_ == 0) return number(Error::closed);
  const auto found = groups_.find({std::string(item.group), std::string(item.pattern)});
  const bool is_other = found != groups_.end() && found->second->terms != terms_of(item);
  return is_other ? number(Error::group_conflict) : 0;
}

// The group's own subscription, which publishers see. nullptr when the counter file has no row for
// it or a pair.
Group* Switch::add_group(const wire::Subscribe& item) {
  Port& port = *find_port(own_port_);
  std::uint32_t handle = 1;
  while (handle <= port.subscriptions.size() && port.subscriptions[handle - 1]) ++handle;
  const std::uint64_t ids[] = {own_port_, handle};
  StatsRow* row = stats_.add_row(RowKind::subscription, ids, item.pattern, item.group);
  if (row == nullptr) return nullptr;
  // Of what is tried once each member has one: it may work on it for long.
  const std::uint32_t leased_max =
      item.group.starts_with('$') ? 1 : config_.subscription.leased_max;
  auto group = std::make_unique<Group>(std::string(item.group), terms_of(item), leased_max);
  auto own = std::make_unique<Subscription>();
  own->port = &port;
  own->handle = handle;
  own->pattern = item.pattern;
  own->policy = group->terms.policy;
  if (is_told_by_nodes(item.pattern) && own->policy == Policy::lossless)
    own->policy = Policy::drop_new;
  own->bound = {item.bound_messages, item.bound_bytes};
  own->window = own->bound;
  own->stall_limit = base::Nanos{item.stall_ms} * base::millisecond;
  own->returns = item.returns;
  own->row = row;
  own->group = group.get();
  row->set(SubscriptionCounter::policy, static_cast<std::uint64_t>(own->policy));
  group->own = own.get();
  if (handle > port.subscriptions.size()) port.subscriptions.resize(handle);
  Subscription& slot = *(port.subscriptions[handle - 1] = std::move(own));
  Group& added = *(groups_[{group->name, slot.pattern}] = std::move(group));
  if (join_all(slot)) return &added;
  end_group(added, DropReason::shutdown);
  return nullptr;
}

// Requires: check_group said nothing against it. False without a row for a group.
bool Switch::enter_group(Subscription& member, const wire::Subscribe& item) {
  const auto found = groups_.find({std::string(item.group), member.pattern});
  Group* group = found == groups_.end() ? add_group(item) : found->second.get();
  if (group == nullptr) return false;
  member.group = group;
  member.member = &group->dealer.add(member, member.window.bytes);
  // What it has is bounded by what it is dealt.
  member.policy = Policy::drop_new;
  member.window.messages = member.bound.messages = std::uint64_t{1} << 20;
  group->empty_since = 0;
  group->own->returns = group->own->returns || member.returns;
  group->own->row->set(SubscriptionCounter::members, group->dealer.count());
  deal_later(*group);
  return true;
}

void Switch::end_group(Group& group, DropReason reason) {
  std::vector<Subscription*> members;
  group.dealer.for_each([&](Member& member) { members.push_back(member.subscription); });
  for (Subscription* member : members) end_subscription(*member, reason, true);
  while (Lot* lot = group.delays.take()) requeue(group, *lot);
  std::erase_if(dealing_, [&](const Group* other) { return other == &group; });
  const auto key = std::pair{group.name, group.own->pattern};
  end_subscription(*group.own, reason, false);
  groups_.erase(key);
}

// A group takes a message in chunks when it is whole: all of it goes to one member, perhaps again.
void Switch::offer_group_piece(Pair& pair, Routed& routed, std::uint32_t count) {
  Subscription& own = *pair.subscription;
  if (routed.first_of_train) drop_pieces(pair);
  if (routed.first_of_train && own.policy != Policy::lossless) {
    const Amount needed{1, routed.charge};
    pair.train_reason = DropReason::queue_full;
    pair.drops_train = own.policy == Policy::drop_new ? !(own.queued + needed).fits(own.bound)
                                                      : !make_room(own, routed.lane, needed);
  }
  if (pair.drops_train) {
    return note_dropped(pair, routed, 0, count, pair.train_reason);
  }
  if (own.policy == Policy::lossless) own.backlog = own.backlog + Amount{count, routed.charge};
  if (count == 0) {
    hold_new(pair, routed);
    pair.train.push_back(&routed);
    return;
  }
  Lot& lot = own.group->leases.acquire();
  lot.routed = &routed;
  lot.pair = &pair;
  lot.key = own.group->dealer.is_sticky() && keys_.count() > 0 ? keys_.entry(0).key : 0;
  std::uint64_t charge = routed.charge;
  if (!pair.train.empty()) {
    lot.train = &own.group->acquire_train();
    std::swap(lot.train->pieces, pair.train);
    for (const Routed* piece : lot.train->pieces) charge += piece->charge;
  }
  add_waiting(pair, routed, 0, count, charge, &lot);
}

// The train under way will not be complete.
void Switch::drop_pieces(Pair& pair) {
  for (Routed* piece : pair.train) {
    if (pair.subscription->policy == Policy::lossless)
      pair.subscription->backlog = monus(pair.subscription->backlog, {0, piece->charge});
    release_hold(pair, *piece);
  }
  pair.train.clear();
}

// Of a sticky group: messages in a row with the same key stand in one entry.
void Switch::enqueue_by_key(Pair& pair, Routed& routed, std::uint32_t first, std::uint32_t count) {
  Group& group = *pair.subscription->group;
  const std::uint32_t end = first + count;
  while (first < end) {
    const std::uint64_t key = keys_.entry(first).key;
    std::uint32_t next = first + 1;
    while (next < end && keys_.entry(next).key == key) ++next;
    Lot& lot = group.leases.acquire();
    lot.routed = &routed;
    lot.pair = &pair;
    lot.key = key;
    const std::uint64_t charge = charge_of(routed, next - first);
    if (pair.subscription->policy == Policy::lossless)
      pair.subscription->backlog = pair.subscription->backlog + Amount{next - first, charge};
    add_waiting(pair, routed, first, next - first, charge, &lot);
    first = next;
  }
}

// Something new for the queue of a group.
void Switch::add_waiting(Pair& pair, Routed& routed, std::uint32_t first, std::uint32_t count,
                         std::uint64_t charge, Lot* lot) {
  Subscription& own = *pair.subscription;
  pair.row->add(PairCounter::handed, count);
  pair.row->add(PairCounter::taken, count);
  pair.row->add(PairCounter::queued, count);
  hold_new(pair, routed);
  Entry entry;
  entry.routed = &routed;
  entry.pair = &pair;
  entry.lot = lot;
  entry.first = first;
  entry.count = count;
  entry.charge = charge;
  own.queued = own.queued + Amount{count, charge};
  queued_ = queued_ + Amount{count, charge};
  if (routed.expires_at != 0) ++own.expiring;
  (void)own.line(routed.lane).queue.push_back(std::move(entry));
  note_ready(own, routed.lane);
}

// What failed or came back goes before all others.
void Switch::requeue(Group& group, Lot& lot) {
  Subscription& own = *group.own;
  Entry entry;
  entry.routed = lot.routed;
  entry.pair = lot.pair;
  entry.lot = &lot;
  entry.first = lot.first;
  entry.count = lot.count;
  entry.charge = lot.charge;
  own.queued = own.queued + Amount{lot.count, lot.charge};
  queued_ = queued_ + Amount{lot.count, lot.charge};
  if (lot.routed->expires_at != 0) ++own.expiring;
  own.line(lot.routed->lane).queue.push_front(std::move(entry));
  deal_later(group);
}

}  // namespace abuzz::delivery
