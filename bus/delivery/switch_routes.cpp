#include <algorithm>

#include "bus/base/check.hpp"
#include "bus/delivery/switch.hpp"
#include "bus/topic.hpp"

// Who gets what: pairs of publications and subscriptions, made when either comes and ended when it
// goes.

namespace abuzz::delivery {

namespace {

constexpr std::size_t tombstones_max = 4096;

bool minds_keys(const Subscription& subscription) noexcept {
  return subscription.policy == Policy::latest ||
         (subscription.group != nullptr && subscription.group->dealer.is_sticky());
}

// How many messages of an entry that is not settled were handled: an end may come in its middle.
std::uint32_t handled_of(const Line& line, const Entry& entry) noexcept {
  if (entry.count == 0 || entry.first_delivery == 0 || entry.first_delivery > line.done_no)
    return 0;
  const std::uint64_t handled = line.done_no - entry.first_delivery + 1;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(handled, entry.count));
}

}  // namespace

bool Switch::join(Publication& publication, Subscription& subscription) {
  auto pair = std::make_unique<Pair>();
  pair->publication = &publication;
  pair->subscription = &subscription;
  const std::uint64_t ids[] = {stats_.index_of(*publication.row),
                               stats_.index_of(*subscription.row)};
  pair->row = stats_.add_row(RowKind::pair, ids, publication.topic);
  if (pair->row == nullptr) return false;
  // A train under way began before this subscription: its message is not for it.
  pair->skips_train = publication.next_chunk != 0;
  pair->row->set(PairCounter::join, publication.accepted_seq + (pair->skips_train ? 1 : 0));
  if (subscription.policy == Policy::lossless) {
    // Credit that is already out is honoured: it is appended beyond the bound, once.
    pair->limit = publication.limit;
    pair->excess = pair->limit - publication.accepted;
    ++publication.lossless_count;
  }
  if (minds_keys(subscription)) ++publication.keyed_count;
  ++subscription.line(publication.lane).matched;
  publication.route.push_back(pair.get());
  subscription.pairs.push_back(std::move(pair));
  subscription.share = share_of(subscription);
  make_hungry(*publication.route.back());
  ask(*publication.route.back());
  subscription.row->set(SubscriptionCounter::matched_publications, subscription.pairs.size());
  return true;
}

// Takes a pair off the route. Its entries must be settled or settle later without it.
void Switch::leave(Pair& pair) {
  Publication& publication = *pair.publication;
  Subscription& subscription = *pair.subscription;
  std::erase(publication.route, &pair);
  Line& line = subscription.line(publication.lane);
  --line.matched;
  for (std::size_t index = 0; index < line.hungry.count(); ++index)
    if (line.hungry.at(index) == &pair) line.hungry.at(index) = nullptr;
  if (subscription.policy == Policy::lossless) {
    subscription.granted = subscription.granted - (pair.limit - publication.accepted - pair.excess);
    --publication.lossless_count;
  }
  if (minds_keys(subscription)) --publication.keyed_count;
  drop_pieces(pair);
  pair.is_hungry = true;  // never again
}

void Switch::note_interest(Publication& publication) {
  publication.interest_changed = true;
  publication.row->set(PublicationCounter::match_count, publication.route.size());
  note(publication);
}

void Switch::end_subscription(Subscription& subscription, DropReason reason, bool tell) {
  Port& port = *subscription.port;
  const bool is_own_of_group = subscription.is_own_of_group();
  index_.remove(subscription);
  if (subscription.member != nullptr)
    leave_group(subscription, reason == DropReason::peer_gone && !port.said_goodbye);
  for (auto& pair : subscription.pairs) {
    Publication& publication = *pair->publication;
    if (publication.is_withdrawn) continue;
    leave(*pair);
    note_interest(publication);
    update_limit(publication);
  }
  queued_ = queued_ - subscription.queued;
  for (Line& line : subscription.lines) end_line(line, reason);
  if (reason == DropReason::peer_gone && !port.said_goodbye && !is_own_of_group)
    closed_.note_departed(
        {port.agent_id, subscription.handle, subscription.pattern, port.name, tell},
        *subscription.row, now_);
  for (auto& pair : subscription.pairs) {
    closed_.add_pair(pair->publication->topic, *pair->row);
    stats_.remove_row(pair->row);
  }
  if (subscription.snapshot) close_snapshot(subscription);
  std::vector<Publication*> touched;
  for (auto& pair : subscription.pairs) {
    if (!pair->publication->is_withdrawn) continue;
    std::erase(pair->publication->former, pair.get());
    touched.push_back(pair->publication);
  }
  subscription.pairs.clear();
  for (Publication* publication : touched) free_departed(*publication);
  std::erase(hungry_, &subscription);
  for (Port::Ready& ready : port.ready) std::erase(ready.subscriptions, &subscription);
  if (tell) {
    port.gone.push_back({subscription.handle, reason});
    if (reason == DropReason::peer_gone) port.ended.push_back(subscription.handle);
    note_output(port);
  }
  ++generation_;
  if (!is_own_of_group) {
    --subscription_count_;
    if (is_told_by_nodes(subscription.pattern)) --reserved_subscriptions_;
  }
  stats_.process().set(ProcessCounter::subscriptions_now, subscription_count_);
  stats_.remove_row(subscription.row);
  port.subscriptions[subscription.handle - 1].reset();
}

// What of it was handled is delivered, the rest dropped for `reason`.
void Switch::end_line(Line& line, DropReason reason) {
  while (!line.in_flight.is_empty()) {
    Entry& entry = line.in_flight.front();
    if (line.received_entries > 0) {
      --line.received_entries;
    } else if (entry.pair != nullptr) {
      let_go(entry);
    }
    complete(entry, handled_of(line, entry), reason);
    line.in_flight.pop_front();
  }
  while (!line.queue.is_empty()) {
    Entry entry = line.queue.take(line.queue.front());
    let_go(entry);
    complete(entry, 0, reason);
  }
}

void Switch::unsubscribe(PortId id, std::uint32_t handle) {
  if (Subscription* subscription = find_subscription(id, handle))
    end_subscription(*subscription, DropReason::shutdown, true);
}

void Switch::withdraw(PortId id, std::uint32_t handle) {
  if (Publication* publication = find_publication(id, handle)) end_publication(*publication);
}

// The publication takes nothing more; what is queued of it is still delivered.
void Switch::end_publication(Publication& publication) {
  if (publication.next_chunk != 0) send_abort(publication);
  Port& port = *publication.port;
  const StreamKey key{port.id, publication.publisher_id, publication.publisher_epoch};
  if (tombstones_.size() >= tombstones_max) tombstones_.pop_front();
  if (port.id != own_port_) tombstones_.push_back({key, publication.accepted_seq, now_});
  index_.remove(publication);
  publication.former = publication.route;
  for (Pair* pair : publication.former) {
    leave(*pair);
    pair->subscription->share = share_of(*pair->subscription);
    // What was kept free for its lane may be used now.
    serve_later(*pair->subscription);
    note_all_ready(*pair->subscription);
  }
  if (publication.retained) stop_retaining(publication);
  std::erase(port.dirty, &publication);
  publication.is_withdrawn = true;
  const std::uint64_t ids[] = {port.id, publication.publisher_id, publication.publisher_epoch, 0};
  stats_.set_ids(*publication.row, ids);
  publication.row->set(PublicationCounter::holder, 0);
  --publication_count_;
  stats_.process().set(ProcessCounter::publications_now, publication_count_);
  auto& slot = port.publications[publication.handle - 1];
  publication.port = nullptr;
  departed_.push_back(std::move(slot));
  free_departed(publication);
}

// Frees a withdrawn publication once its last message is settled.
void Switch::free_departed(Publication& publication) {
  if (!publication.is_withdrawn || publication.routed_open > 0) return;
  for (Pair* former : publication.former) {
    closed_.add_pair(publication.topic, *former->row);
    stats_.remove_row(former->row);
    std::erase_if(former->subscription->pairs,
                  [former](const std::unique_ptr<Pair>& pair) { return pair.get() == former; });
  }
  if (is_reply_topic(publication.topic)) tell_requester(publication);
  closed_.add_publication(publication.topic, *publication.row);
  stats_.remove_row(publication.row);
  std::erase_if(departed_, [&](const std::unique_ptr<Publication>& departed) {
    return departed.get() == &publication;
  });
}

}  // namespace abuzz::delivery
