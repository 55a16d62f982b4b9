#include <algorithm>

#include "bus/base/units.hpp"
#include "bus/delivery/switch.hpp"

// Credit: who may send how much, so that no queue is ever overrun and a slow lossless subscription
// holds its publishers and nobody else.
//
// Rule: for each lossless subscription, backlog + granted <= bound. Accepting a batch moves its
// size from granted to backlog; only draining makes room to grant again. One batch may pass the
// bound when nothing is queued, or a bound below its size would hold it for ever. A publication's
// limit is the least of what its lossless subscriptions granted, or a plain window when there are
// none.

namespace abuzz::delivery {

namespace {

// Messages only: every bound has room for more bytes than a batch or a train.
constexpr Amount largest_batch{4096, 0};
constexpr Amount plain_window{16'384, 2 * base::mib};

}  // namespace

// Half of the bound is shared by all publications as standing credit, so that an idle message
// leaves at once. The rest goes to those that use theirs.
Amount Switch::share_of(const Subscription& subscription) const noexcept {
  const std::uint64_t count = std::max<std::uint64_t>(1, subscription.pairs.size());
  return {std::clamp<std::uint64_t>(subscription.bound.messages / 2 / count, 1, 1024),
          std::clamp<std::uint64_t>(subscription.bound.bytes / 2 / count, 4 * base::kib,
                                    256 * base::kib)};
}

// The publisher used credit: first what was out before the subscription joined.
void Switch::spend(Pair& pair, Amount used) noexcept {
  const Amount from_excess = least(pair.excess, used);
  pair.excess = pair.excess - from_excess;
  pair.subscription->granted = pair.subscription->granted - (used - from_excess);
}

void Switch::make_hungry(Pair& pair) {
  Subscription& subscription = *pair.subscription;
  if (subscription.policy != Policy::lossless || pair.is_hungry) return;
  const Amount outstanding = pair.limit - pair.publication->accepted;
  const Amount target = most(subscription.share, pair.target);
  const Amount mark{(target.messages * 3 + 3) / 4, (target.bytes * 3) / 4};
  const bool wants = is_under(outstanding, pair.want);
  if (!is_under(outstanding, mark) && !wants) return;
  pair.is_hungry = true;
  subscription.line(pair.publication->lane).hungry.push_back(&pair);
  serve_later(subscription);
}

void Switch::serve_later(Subscription& subscription) {
  if (subscription.wants_service || !subscription.has_hungry()) return;
  subscription.wants_service = true;
  hungry_.push_back(&subscription);
}

// What deliveries of a lane may take of a window or a bound: not all of it while something of a
// higher lane may come, which then finds room. The largest train fits in any case.
Amount Switch::part_of(const Subscription& subscription, Amount whole,
                       wire::Lane lane) const noexcept {
  if (!subscription.matches_above(lane)) return whole;
  const std::uint64_t kept = lane == wire::Lane::bulk ? 8 : 16;  // one part in so many
  const std::uint64_t train = config_.limits.payload_bytes_max + 64 * base::kib;
  return {whole.messages - whole.messages / kept,
          std::max(whole.bytes - whole.bytes / kept, std::min(whole.bytes, train))};
}

// Serves hungry pairs, the higher lanes first, those of a lane in turn. The first that cannot be
// served whole gets what there is and waits at the head of its lane, so that partial grants do not
// spread. Nor does it hold other lanes: what it lacks may be what the head of one of them has, and
// cannot use before it gets the rest.
void Switch::grant(Subscription& subscription) {
  LaneTurn::Waiting allowed = LaneTurn::all;
  while (!is_over_budget(subscription)) {
    LaneTurn::Waiting waiting = 0;
    for (std::size_t lane = 0; lane < wire::data_lanes; ++lane) {
      Ring<Pair*>& hungry = subscription.lines[lane].hungry;
      while (!hungry.is_empty() && hungry.front() == nullptr) hungry.pop_front();
      if (!hungry.is_empty()) waiting |= LaneTurn::bit(lane);
    }
    waiting &= allowed;
    if (waiting == 0) return;
    const std::size_t lane = subscription.grants.next(waiting, now_);
    const std::uint64_t granted = subscription.granted.bytes;
    if (!grant_front(subscription, subscription.lines[lane])) {
      allowed = LaneTurn::without(allowed, lane);
      continue;
    }
    subscription.grants.note_served(lane, subscription.granted.bytes - granted);
  }
}

// False when the pair at the head did not get all it should have.
bool Switch::grant_front(Subscription& subscription, Line& line) {
  Pair& pair = *line.hungry.front();
  Publication& publication = *pair.publication;
  const Amount bound = part_of(subscription, subscription.bound, publication.lane);
  const Amount outstanding = pair.limit - publication.accepted;
  const Amount free = monus(bound, subscription.backlog + subscription.granted);
  // Who used credit since the last look gets half of what is free; who did not, its share.
  const bool is_active = publication.accepted_seq != pair.seen_seq;
  const Amount half{free.messages / 2, std::min(free.bytes / 2, memory_left() / 8)};
  pair.target = is_active ? most(subscription.share, half) : subscription.share;
  const Amount missing = monus(most(pair.target, pair.want), outstanding);
  // What it has of an earlier grant is no hindrance: its publisher may have come to want more.
  const Amount own = outstanding - pair.excess;
  const bool may_pass = pair.want.messages > bound.messages && subscription.backlog.messages == 0 &&
                        (subscription.granted - own).fits(subscription.bound);
  const Amount given = least(missing, may_pass ? most(free, missing) : free);
  if (given.messages > 0 || given.bytes > 0) {
    pair.limit = pair.limit + given;
    subscription.granted = subscription.granted + given;
    update_limit(publication);
  }
  if (given.messages < missing.messages || given.bytes < missing.bytes) {
    if (subscription.blocked_since == 0) subscription.blocked_since = now_;
    return false;
  }
  pair.want = {};
  pair.is_hungry = false;
  line.hungry.pop_front();
  return true;
}

void Switch::finish_cycle(base::Nanos now) {
  now_ = now;
  deal_groups();
  check_memory();
  for (std::size_t index = 0; index < hungry_.size(); ++index) {
    Subscription& subscription = *hungry_[index];
    subscription.wants_service = false;
    grant(subscription);
  }
  hungry_.clear();
}

// While the batches in all queues take more than their part of the node's budget, who publishes to
// a subscription that holds some of them gets no more credit: publishers are held, and nothing is
// lost. The other part is for the credit that is out, and for everything else.
void Switch::check_memory() {
  stats_.process().set(ProcessCounter::held_bytes, held_bytes_);
  if (!is_full_) {
    is_full_ = memory_left() == 0;
    if (is_full_) stats_.process().add(ProcessCounter::memory_refused);
    return;
  }
  if (memory_left() < config_.node.memory_budget_bytes / 16) return;
  is_full_ = false;
  for (auto& [id, port] : ports_) {
    for (auto& subscription : port->subscriptions)
      if (subscription) serve_later(*subscription);
    for (auto& publication : port->publications)
      if (publication) update_limit(*publication);
  }
}

std::uint64_t Switch::memory_left() const noexcept {
  const std::uint64_t most_bytes = config_.node.memory_budget_bytes / 2;
  return most_bytes > held_bytes_ ? most_bytes - held_bytes_ : 0;
}

bool Switch::is_over_budget(const Subscription& subscription) const noexcept {
  constexpr std::uint64_t harmless_bytes = 64 * base::kib;
  return is_full_ &&
         subscription.queued.bytes + subscription.sent.bytes - subscription.consumed.bytes >
             harmless_bytes;
}

// A publisher may be back from a lost node before those who are owed its messages: what it sent
// meanwhile would find nobody.
bool Switch::awaits_returns(Publication& publication) const noexcept {
  if (returns_.is_owed(publication.topic)) return true;
  if (publication.awaits_returns == 0) return false;
  const auto returned =
      std::count_if(publication.route.begin(), publication.route.end(), [](const Pair* pair) {
        return pair->subscription->returns && pair->subscription->policy == Policy::lossless;
      });
  const bool waits = static_cast<std::uint32_t>(returned) < publication.awaits_returns &&
                     now_ < publication.awaits_until;
  if (!waits) publication.awaits_returns = 0;
  return waits;
}

// Somebody was waited for, and is no more.
void Switch::go_on_after_returns() {
  for (auto& [id, port] : ports_)
    for (auto& publication : port->publications)
      if (publication && id != own_port_) update_limit(*publication);
}

void Switch::update_limit(Publication& publication) {
  Amount limit = publication.accepted + plain_window;
  bool is_first = true;
  for (const Pair* pair : publication.route) {
    if (is_first && is_over_budget(*pair->subscription)) limit = publication.limit;
    if (pair->subscription->policy != Policy::lossless) continue;
    limit = is_first ? pair->limit : least(limit, pair->limit);
    is_first = false;
  }
  // Its agent does not take what it asked to be told.
  if (publication.receipts && publication.receipts->is_full()) limit = publication.limit;
  if (awaits_returns(publication)) return;
  publication.limit = most(publication.limit, limit);
  // Told in steps of about a quarter: what the publisher knows it may still send, against what it
  // may.
  const Amount known = monus(publication.limit_told, publication.accepted);
  const Amount actual = publication.limit - publication.accepted;
  const Amount mark{actual.messages * 3 / 4, actual.bytes * 3 / 4};
  const bool is_wanted = is_under(publication.limit_told, publication.limit_wanted) &&
                         is_under(publication.limit_told, publication.limit);
  if (is_under(known, mark) || is_wanted) note(publication);
}

// The subscription is asked for what the publisher wants and does not have.
void Switch::ask(Pair& pair) {
  const Publication& publication = *pair.publication;
  if (!is_under(publication.limit, publication.limit_wanted)) return;
  pair.want = least(monus(publication.limit_wanted, publication.accepted),
                    most(pair.subscription->bound, largest_batch));
  make_hungry(pair);
}

void Switch::want(PortId port, const wire::Want& item) {
  Publication* publication = find_publication(port, item.publication);
  if (publication == nullptr) return;
  // Nobody waits for more than one batch or one train beyond what it may send: measured from the
  // limit, because what was sent before the Want may not have been accepted yet.
  const Amount most_wanted = publication->limit + Amount{16'384, 64 * base::mib};
  publication->limit_wanted = least({item.limit_messages, item.limit_bytes}, most_wanted);
  for (Pair* pair : publication->route) ask(*pair);
  note(*publication);
}

// A pair that is to be served next on its lane, if the queue could not serve it even when it is
// empty: others hold the credit.
const Pair* Switch::starving_pair(Subscription& subscription) const noexcept {
  for (Line& line : subscription.lines) {
    std::size_t first = 0;
    while (first < line.hungry.count() && line.hungry.at(first) == nullptr) ++first;
    if (first == line.hungry.count()) continue;
    const Pair* pair = line.hungry.at(first);
    const Amount outstanding = pair->limit - pair->publication->accepted;
    const Amount missing = monus(most(pair->target, pair->want), outstanding);
    const Amount bound = part_of(subscription, subscription.bound, pair->publication->lane);
    if (!(subscription.granted + missing).fits(bound)) return pair;
  }
  return nullptr;
}

// Credit that lies idle is honoured beyond the bound, like that of a publication that was there
// before the subscription: limits never shrink, and it must not starve those that have something
// to send.
void Switch::free_idle_credit(Subscription& subscription) {
  if (subscription.policy != Policy::lossless || !subscription.has_hungry()) return;
  const Pair* starving = starving_pair(subscription);
  for (auto& pair : subscription.pairs) {
    if (pair->publication->is_withdrawn) continue;
    const bool is_idle = pair->seen_seq == pair->publication->accepted_seq;
    pair->seen_seq = pair->publication->accepted_seq;
    if (!is_idle || starving == nullptr || pair.get() == starving) continue;
    const Amount outstanding = pair->limit - pair->publication->accepted;
    subscription.granted = subscription.granted - (outstanding - pair->excess);
    pair->excess = outstanding;
  }
  grant(subscription);
}

}  // namespace abuzz::delivery
