#include <algorithm>
#include <cstring>

#include "bus/base/check.hpp"
#include "bus/delivery/switch.hpp"

// What a subscription takes of a batch, and what it drops when it has fallen behind. What is
// dropped before it is sent gets no delivery number; each message is counted by its reason.

namespace abuzz::delivery {

namespace {

constexpr PairCounter pair_counters[] = {
    PairCounter::dropped_queue_full, PairCounter::dropped_peer_gone, PairCounter::dropped_shutdown,
    PairCounter::dropped_corrupt,    PairCounter::dropped_conflated, PairCounter::dropped_expired,
    PairCounter::dropped_dead};
constexpr SubscriptionCounter subscription_counters[] = {
    SubscriptionCounter::dropped_queue_full, SubscriptionCounter::dropped_peer_gone,
    SubscriptionCounter::dropped_shutdown,   SubscriptionCounter::dropped_corrupt,
    SubscriptionCounter::dropped_conflated,  SubscriptionCounter::dropped_expired,
    SubscriptionCounter::dropped_dead};

// A queue with this many places is that of a subscriber which does not keep up.
constexpr std::size_t waiting_min = 64;

// A train counts as one message from its first piece on, which holds its charge.
std::uint32_t messages_of(const Entry& entry) noexcept {
  return entry.routed->is_train && entry.routed->first_of_train ? 1 : entry.count;
}

}  // namespace

// Keys decide only where a subscription keeps the latest of each, or a group gives each to one of
// its members; then the body is verified here.
// False when it is refused: the publisher's fault. Without a buffer for it all its messages count
// as having the key 0.
bool Switch::read_keys(const Publication& publication, const wire::BatchHead& head,
                       const mem::Buffer& slice) {
  if ((head.envelope.flags & wire::batch_has_keys) == 0 || publication.keyed_count == 0)
    return true;
  const wire::Reject reject = wire::verify(slice.share(), pool_, {}, keys_);
  return reject == wire::Reject::none || reject == wire::Reject::no_buffer;
}

void Switch::count_dropped(Pair& pair, std::uint64_t count, DropReason reason) noexcept {
  const auto index = static_cast<std::size_t>(reason);
  pair.row->add(pair_counters[index], count);
  pair.subscription->row->add(subscription_counters[index], count);
}

void Switch::count_unknown(Pair& pair, std::uint64_t count, PairCounter reason) noexcept {
  pair.row->add(reason, count);
  if (reason == PairCounter::unknown_peer_gone)
    pair.subscription->row->add(SubscriptionCounter::unknown_peer_gone, count);
}

// HOT: shard thread, once a batch and subscription.
void Switch::offer(Pair& pair, Routed& routed, std::uint32_t first, std::uint32_t count) {
  if (routed.is_train)
    return pair.subscription->group == nullptr ? offer_piece(pair, routed, count)
                                               : offer_group_piece(pair, routed, count);
  Subscription& subscription = *pair.subscription;
  switch (subscription.policy) {
    case Policy::lossless:  // its room was granted
      return enqueue(pair, routed, first, count, nullptr);
    case Policy::drop_new: {
      const Amount free = monus(subscription.bound, subscription.queued);
      std::uint64_t fits = std::min<std::uint64_t>(free.messages, count);
      if (charge_of(routed, count) > free.bytes)
        fits = std::min<std::uint64_t>(fits, free.bytes * routed.count / routed.charge);
      const auto taken = static_cast<std::uint32_t>(fits);
      if (taken > 0) enqueue(pair, routed, first, taken, nullptr);
      note_dropped(pair, routed, first + taken, count - taken, DropReason::queue_full);
      return;
    }
    case Policy::drop_old: {
      const auto most =
          static_cast<std::uint32_t>(std::min<std::uint64_t>(count, subscription.bound.messages));
      note_dropped(pair, routed, first, count - most, DropReason::queue_full);
      if (!make_room(subscription, routed.lane, {most, charge_of(routed, most)}))
        return note_dropped(pair, routed, first + count - most, most, DropReason::queue_full);
      return enqueue(pair, routed, first + count - most, most, nullptr);
    }
    case Policy::latest:
      return offer_latest(pair, routed, first, count);
  }
}

void Switch::offer_latest(Pair& pair, Routed& routed, std::uint32_t first, std::uint32_t count) {
  Subscription& subscription = *pair.subscription;
  const std::uint64_t topic = pair.publication->topic_hash;
  const auto add = [&](std::uint64_t key, std::uint32_t from, std::uint32_t messages) {
    Conflation::Slot& slot = subscription.conflation.slot(topic, key);
    conflate(subscription, slot, subscription.latest_max - messages);
    if (make_room(subscription, routed.lane, {messages, charge_of(routed, messages)}))
      enqueue(pair, routed, from, messages, &slot);
    else
      note_dropped(pair, routed, from, messages, DropReason::queue_full);
  };
  if (keys_.count() == 0) {
    const std::uint32_t most = std::min(count, subscription.latest_max);
    note_dropped(pair, routed, first, count - most, DropReason::conflated);
    return add(0, first + count - most, most);
  }
  for (std::uint32_t index = first; index < first + count; ++index)
    add(keys_.entry(index).key, index, 1);
}

// A chunk train is taken or dropped as a whole, as decided at its first piece.
void Switch::offer_piece(Pair& pair, Routed& routed, std::uint32_t count) {
  Subscription& subscription = *pair.subscription;
  Conflation::Slot* slot = nullptr;
  if (routed.first_of_train && subscription.policy != Policy::lossless) {
    const Amount needed{1, routed.charge};
    if (subscription.policy == Policy::latest) {
      const std::uint64_t key = keys_.count() > 0 ? keys_.entry(0).key : 0;
      slot = &subscription.conflation.slot(pair.publication->topic_hash, key);
      conflate(subscription, *slot, subscription.latest_max - 1);
    }
    pair.train_reason = DropReason::queue_full;
    pair.drops_train = subscription.policy == Policy::drop_new
                           ? !(subscription.queued + needed).fits(subscription.bound)
                           : !make_room(subscription, routed.lane, needed);
  }
  if (!pair.drops_train) return enqueue(pair, routed, 0, count, slot);
  note_dropped(pair, routed, 0, count, pair.train_reason);
}

void Switch::enqueue(Pair& pair, Routed& routed, std::uint32_t first, std::uint32_t count,
                     Conflation::Slot* slot) {
  Subscription& subscription = *pair.subscription;
  if (keys_.count() > 0 && subscription.group != nullptr && subscription.group->dealer.is_sticky())
    return enqueue_by_key(pair, routed, first, count);
  Entry entry;
  entry.routed = &routed;
  entry.pair = &pair;
  entry.first = first;
  entry.count = count;
  entry.charge = charge_of(routed, count);
  entry.slot = slot;
  const Amount added{count, entry.charge};
  if (subscription.policy == Policy::lossless) {
    subscription.backlog = subscription.backlog + added;
    ++routed.owed;
  }
  pair.row->add(PairCounter::handed, count);
  pair.row->add(PairCounter::taken, count);
  pair.row->add(PairCounter::queued, count);
  subscription.queued = subscription.queued + added;
  queued_ = queued_ + added;
  ++routed.pending;
  ++routed.holders;
  ++pair.entries;
  if (routed.expires_at != 0) ++subscription.expiring;
  SendQueue<Entry>& queue = subscription.line(routed.lane).queue;
  if (queue.places() >= waiting_min) copy_out(routed);
  const std::uint32_t messages = messages_of(entry);
  const std::uint64_t ticket = queue.push_back(std::move(entry));
  if (slot != nullptr) {
    slot->places.push_back({ticket, routed.lane});
    slot->messages += messages;
  }
  note_ready(subscription, routed.lane);
}

// A small batch came in a frame with others, which it keeps alive. Where it will wait long, it gets
// a buffer of its own.
void Switch::copy_out(Routed& routed) {
  const std::size_t bytes = routed.slice.bytes();
  if (routed.slice.block_bytes() <= 4 * bytes + 4 * base::kib) return;
  mem::Buffer copy = pool_.try_acquire_spare(bytes);
  if (!copy) return;
  std::memcpy(copy.data(), routed.slice.data(), bytes);
  routed.slice = std::move(copy);
}

// Drops the oldest of the slot until `keep` are left.
void Switch::conflate(Subscription& subscription, Conflation::Slot& slot, std::uint64_t keep) {
  while (!slot.places.is_empty()) {
    const Conflation::Place place = slot.places.front();
    Entry* oldest = subscription.line(place.lane).queue.find(place.ticket);
    if (oldest == nullptr) {  // it left the queue from behind
      slot.places.pop_front();
      continue;
    }
    if (slot.messages <= keep) return;
    drop_queued(subscription, *oldest, slot.messages - keep, DropReason::conflated);
  }
}

// Drops the oldest of the lowest lane until `needed` fits into the bound; false if it cannot. What
// was begun to be sent is not touched, nor what is of a higher lane than the newcomer.
bool Switch::make_room(Subscription& subscription, wire::Lane lane, Amount needed) {
  while (!(subscription.queued + needed).fits(subscription.bound)) {
    Entry* oldest = nullptr;
    for (std::size_t index = wire::data_lanes; index-- > wire::lane_index(lane);)
      if (oldest == nullptr) oldest = oldest_to_drop(subscription.lines[index].queue);
    if (oldest == nullptr) return false;
    const std::uint64_t over =
        monus(subscription.queued + needed, subscription.bound).bytes > 0
            ? subscription.bound.messages
            : subscription.queued.messages + needed.messages - subscription.bound.messages;
    drop_queued(subscription, *oldest, over, DropReason::queue_full);
  }
  return true;
}

Entry* Switch::oldest_to_drop(SendQueue<Entry>& queue) noexcept {
  for (std::size_t place = 0; place < queue.places(); ++place) {
    Entry& entry = queue.at(place);
    if (!SendQueue<Entry>::is_hole(entry) && !is_begun(entry)) return &entry;
  }
  return nullptr;
}

// A later piece of a train: its first one is on its way, or it stands further in front.
bool Switch::is_begun(const Entry& entry) noexcept {
  return entry.routed->is_train && !entry.routed->first_of_train && entry.lot == nullptr;
}

// Drops up to `messages` from the front of an entry that is not sent; a train whole.
void Switch::drop_queued(Subscription& subscription, Entry& entry, std::uint64_t messages,
                         DropReason reason) {
  if (entry.routed->is_train) return drop_queued_train(subscription, entry, reason);
  if (messages >= entry.count) return drop_entry(subscription, entry, reason);
  const auto dropped = static_cast<std::uint32_t>(messages);
  const std::uint64_t charge =
      std::min(entry.charge, charge_of(*entry.routed, entry.count - dropped));
  take_off(subscription, {dropped, entry.charge - charge});
  const std::uint32_t first = entry.first;
  entry.first += dropped;
  entry.count -= dropped;
  entry.charge = charge;
  if (entry.slot != nullptr) entry.slot->messages -= dropped;
  entry.pair->row->set(PairCounter::queued, entry.pair->row->get(PairCounter::queued) - dropped);
  note_dropped(*entry.pair, *entry.routed, first, dropped, reason);
}

// The queue of the subscription got shorter without anything being sent.
void Switch::take_off(Subscription& subscription, Amount amount) {
  subscription.queued = subscription.queued - amount;
  queued_ = queued_ - amount;
  if (subscription.policy != Policy::lossless) return;
  subscription.backlog = monus(subscription.backlog, amount);
  serve_later(subscription);
}

void Switch::drop_entry(Subscription& subscription, Entry& entry, DropReason reason) {
  Entry dropped = subscription.line(entry.routed->lane).queue.take(entry);
  forget_place(subscription, dropped);
  take_off(subscription, {dropped.count, dropped.charge});
  let_go(dropped);
  complete(dropped, 0, reason);
}

// `entry` left the queue.
void Switch::forget_place(Subscription& subscription, Entry& entry) noexcept {
  if (entry.routed->expires_at != 0) --subscription.expiring;
  if (entry.slot == nullptr) return;
  entry.slot->messages -= messages_of(entry);
  if (entry.slot->places.front() == Conflation::Place{entry.ticket, entry.routed->lane})
    entry.slot->places.pop_front();
  entry.slot = nullptr;
}

// Drops all pieces of a train of which none was sent; those to come are dropped at arrival. The
// same message may stand in the queue again behind the abort of this train: that is another train.
void Switch::drop_queued_train(Subscription& subscription, Entry& first, DropReason reason) {
  Pair& pair = *first.pair;
  const std::uint64_t seq = first.routed->first_seq;
  std::vector<std::uint64_t>& tickets = tickets_;
  tickets.clear();
  bool is_whole = false;
  SendQueue<Entry>& queue = subscription.line(first.routed->lane).queue;
  for (std::size_t place = 0; place < queue.places() && !is_whole; ++place) {
    const Entry& entry = queue.at(place);
    if (SendQueue<Entry>::is_hole(entry) || entry.ticket < first.ticket || entry.pair != &pair ||
        !entry.routed->is_train || entry.routed->first_seq != seq)
      continue;
    tickets.push_back(entry.ticket);
    is_whole = entry.count > 0 || entry.routed->aborts;
  }
  if (!is_whole) {
    pair.drops_train = true;
    pair.train_reason = reason;
  }
  for (const std::uint64_t ticket : tickets)
    if (Entry* piece = queue.find(ticket)) drop_entry(subscription, *piece, reason);
}

// Drops what has outlived its time; all of it, not only what stands in front.
void Switch::expire(Subscription& subscription) {
  if (subscription.expiring == 0) return;
  for (Line& line : subscription.lines) {
    std::vector<std::uint64_t> expired;
    for (std::size_t place = 0; place < line.queue.places(); ++place) {
      const Entry& entry = line.queue.at(place);
      if (!SendQueue<Entry>::is_hole(entry) && is_expired(entry)) expired.push_back(entry.ticket);
    }
    for (const std::uint64_t ticket : expired)
      if (Entry* entry = line.queue.find(ticket))
        drop_queued(subscription, *entry, entry->count, DropReason::expired);
  }
}

bool Switch::is_expired(const Entry& entry) const noexcept {
  return entry.routed->expires_at != 0 && now_ >= entry.routed->expires_at &&
         entry.pair != nullptr && !is_begun(entry);
}

}  // namespace abuzz::delivery
