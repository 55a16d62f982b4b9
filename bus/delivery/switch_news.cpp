#include <algorithm>
#include <limits>

#include "bus/base/units.hpp"
#include "bus/delivery/switch.hpp"

// What agents are told, and when: credit, outcomes, who holds whom, what has ended.

namespace abuzz::delivery {

namespace {

// Of the lossless subscriptions that have not granted what the publication waits for, the one that
// has had no room for longest: others may be about to grant it, or keep a bound that is no
// hindrance.
const Pair* holder_of(const Publication& publication) noexcept {
  if (!is_under(publication.limit, publication.limit_wanted)) return nullptr;
  const Pair* holder = nullptr;
  const auto since = [](const Pair& pair) {
    const base::Nanos at = pair.subscription->blocked_since;
    return at == 0 ? std::numeric_limits<base::Nanos>::max() : at;
  };
  for (const Pair* pair : publication.route) {
    if (pair->subscription->policy != Policy::lossless ||
        !is_under(pair->limit, publication.limit_wanted)) {
      continue;
    }
    if (holder == nullptr || since(*pair) < since(*holder)) holder = pair;
  }
  return holder;
}

}  // namespace

void Switch::ask_flush(PortId port, const wire::FlushAsk& item) {
  Publication* publication = find_publication(port, item.publication);
  if (publication == nullptr) return;
  if (publication->receipts) {
    const bool was_full = publication->receipts->is_full();
    publication->receipts->confirm(item.receipts_seen);
    if (was_full) update_limit(*publication);
  }
  if (item.seq == 0) return;
  publication->flush_seq = std::max(publication->flush_seq, item.seq);
  publication->tells_at_once = true;
  note(*publication);
}

void Switch::note_output(Port& port) {
  if (port.has_output) return;
  port.has_output = true;
  outputs_[port.shard].push_back(PortId{port.id});
}

void Switch::note(Publication& publication) {
  if (publication.is_withdrawn || publication.is_paused || publication.port == nullptr) return;
  if (!publication.is_dirty) {
    publication.is_dirty = true;
    publication.port->dirty.push_back(&publication);
  }
  note_output(*publication.port);
}

void Switch::note_ready(Subscription& subscription, wire::Lane lane) {
  if (subscription.is_own_of_group()) return deal_later(*subscription.group);
  Line& line = subscription.line(lane);
  if (!line.is_ready) {
    line.is_ready = true;
    subscription.port->ready[wire::lane_index(lane)].subscriptions.push_back(&subscription);
  }
  note_output(*subscription.port);
}

void Switch::note_all_ready(Subscription& subscription) {
  for (std::size_t lane = 0; lane < wire::data_lanes; ++lane)
    if (!subscription.lines[lane].queue.is_empty()) note_ready(subscription, wire::lane_at(lane));
}

std::uint32_t Switch::shortest_queue(const Publication& publication) noexcept {
  std::uint64_t least_messages = 0;
  for (const Pair* pair : publication.route) {
    const Subscription& subscription = *pair->subscription;
    if (subscription.policy != Policy::lossless) continue;
    // A group deals so many at a time; the rest of a larger batch would be sent in vain.
    const std::uint64_t messages =
        subscription.group == nullptr
            ? subscription.bound.messages
            : std::min<std::uint64_t>(subscription.bound.messages, Dealer::run_messages_max);
    if (least_messages == 0 || messages < least_messages) least_messages = messages;
  }
  return static_cast<std::uint32_t>(least_messages);
}

void Switch::tell(Publication& publication, wire::ControlBuilder& control) {
  publication.is_dirty = false;
  control.add(wire::Credit{publication.handle, publication.is_fresh ? wire::credit_is_fresh : 0,
                           publication.accepted_seq, publication.limit.messages,
                           publication.limit.bytes, publication.settled_seq});
  publication.limit_told = publication.limit;
  publication.accepted_told = publication.accepted_seq;
  publication.settled_told = publication.settled_seq;
  publication.row->set(PublicationCounter::limit_messages, publication.limit.messages);
  publication.row->set(PublicationCounter::limit_bytes, publication.limit.bytes);
  const std::uint64_t outcome = publication.outcomes();
  tell_drops(publication, control);
  if (outcome != publication.outcome_told || publication.tells_at_once) {
    control.add(wire::Outcome{publication.handle, publication.delivered, publication.no_subscriber,
                              publication.dropped, publication.unknown});
    publication.outcome_told = outcome;
    if (publication.accepted_seq >= publication.flush_seq && publication.routed_open == 0)
      publication.tells_at_once = false;
  }
  const Pair* holder = holder_of(publication);
  if (holder != nullptr)
    control.add(wire::Held{publication.handle, 0, holder->subscription->port->id});
  publication.row->set(PublicationCounter::holder,
                       holder == nullptr ? 0 : stats_.index_of(*holder->subscription->row));
  if (publication.interest_changed) {
    publication.interest_changed = false;
    publication.match_told = static_cast<std::uint32_t>(publication.route.size());
    control.add(wire::Interest{publication.handle, publication.match_told,
                               publication.lossless_count, generation_,
                               shortest_queue(publication)});
  }
  tell_receipts(publication, control);
}

bool Switch::collect_control(PortId id, wire::ControlBuilder& control) {
  Port* port = find_port(id);
  if (port == nullptr) return false;
  bool added = !port->acts.empty();
  for (const wire::RequestAct& act : port->acts) control.add(act);
  port->acts.clear();
  while (!port->gone.empty() && control.bytes_estimate() < wire::control_bytes_max) {
    const Port::GoneItem item = port->gone.back();
    port->gone.pop_back();
    control.add(wire::Gone{item.subscription, static_cast<std::uint32_t>(item.reason)});
    added = true;
  }
  while (!port->dirty.empty() && control.bytes_estimate() < wire::control_bytes_max) {
    Publication& publication = *port->dirty.back();
    port->dirty.pop_back();
    tell(publication, control);
    added = true;
  }
  for (; !port->reply_ends.empty() && control.bytes_estimate() < wire::control_bytes_max;
       port->reply_ends.pop_back()) {
    control.add(port->reply_ends.back());
    added = true;
  }
  if (!port->dirty.empty() || !port->gone.empty() || !port->reply_ends.empty()) note_output(*port);
  return added;
}

void Switch::tell_all() {
  for (auto& [id, port] : ports_)
    for (auto& publication : port->publications)
      if (publication) note(*publication);
}

bool Switch::has_news(PortId id) const noexcept {
  const auto found = ports_.find(id);
  return found != ports_.end() && (!found->second->dirty.empty() || !found->second->gone.empty());
}

std::uint64_t Switch::unsettled_messages() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& [id, port] : ports_)
    for (const auto& subscription : port->subscriptions) {
      if (!subscription) continue;
      for (const auto& pair : subscription->pairs)
        sum += pair->row->get(PairCounter::queued) + pair->row->get(PairCounter::in_flight);
      if (const Pair* given = subscription->snapshot.get())
        sum += given->row->get(PairCounter::queued) + given->row->get(PairCounter::in_flight);
    }
  return sum;
}

}  // namespace abuzz::delivery
