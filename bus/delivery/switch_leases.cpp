#include <algorithm>
#include <bit>

#include "bus/base/check.hpp"
#include "bus/delivery/back_off.hpp"
#include "bus/delivery/switch.hpp"

// Groups: what became of the messages that members were dealt.

namespace abuzz::delivery {

namespace {

// A publisher that keeps more batches than this behind a message that failed need not keep that.
constexpr std::size_t spans_kept_max = 1024;

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
    note_delivered(*lot.pair, *lot.routed, first, count);
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
    note_unknown(*lot.pair, *lot.routed, first, count, PairCounter::unknown_peer_gone);
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

}  // namespace abuzz::delivery
