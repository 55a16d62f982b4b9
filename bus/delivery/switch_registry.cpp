#include <algorithm>

#include "bus/base/check.hpp"
#include "bus/delivery/switch.hpp"
#include "bus/topic.hpp"
#include "bus/wire/hash.hpp"

// Ports, publications and subscriptions coming and going.

namespace abuzz::delivery {

Switch::Switch(StatsFile& stats, const Config& config, std::uint64_t node_id, mem::Pool& pool)
    : stats_(stats),
      config_(config),
      node_id_(node_id),
      pool_(pool),
      closed_(stats),
      retained_(&stats, config.node.memory_budget_bytes / 8),
      retained_intake_(retained_, pool),
      random_(node_id),
      dead_(config.node.memory_budget_bytes / 8) {}

Switch::~Switch() {
  is_draining_ = true;
  while (!groups_.empty()) end_group(*groups_.begin()->second, DropReason::shutdown);
  while (!ports_.empty()) close_port(ports_.begin()->first, DropReason::shutdown);
}

Port* Switch::find_port(PortId id) noexcept {
  const auto found = ports_.find(id);
  return found == ports_.end() ? nullptr : found->second.get();
}

Publication* Switch::find_publication(PortId id, std::uint32_t handle) noexcept {
  Port* port = find_port(id);
  if (port == nullptr || handle == 0 || handle > port->publications.size()) return nullptr;
  return port->publications[handle - 1].get();
}

Subscription* Switch::find_subscription(PortId id, std::uint32_t handle) noexcept {
  Port* port = find_port(id);
  if (port == nullptr || handle == 0 || handle > port->subscriptions.size()) return nullptr;
  return port->subscriptions[handle - 1].get();
}

void Switch::open_port(PortId id, std::string_view agent_name, std::uint32_t shard) {
  if (shard >= outputs_.size()) outputs_.resize(shard + std::size_t{1});
  auto& port = ports_[id];
  if (!port) {
    port = std::make_unique<Port>();
    port->id = id;
    port->agent_id = id;
  }
  port->name = agent_name;
  // What it has to send stands in the list of one shard.
  if (port->shard != shard && port->has_output) outputs_[shard].push_back(PortId{id});
  port->shard = shard;
  port->said_goodbye = false;
  port->resumed_at = now_;
  port->suspended_since = 0;
}

void Switch::note_goodbye(PortId id) noexcept {
  if (Port* port = find_port(id)) port->said_goodbye = true;
}

// Numbers on the next link start over, so nothing is said or sent on it about what the agent has
// not registered there.
void Switch::suspend_port(PortId id, base::Nanos now) {
  Port* port = find_port(id);
  if (port == nullptr) return;
  port->suspended_since = std::max<base::Nanos>(now, 1);
  for (auto& publication : port->publications)
    if (publication) publication->is_paused = true;
  for (auto& subscription : port->subscriptions) {
    if (!subscription) continue;
    subscription->is_paused = true;
    if (subscription->member != nullptr) subscription->member->is_away = true;
  }
  for (Publication* publication : port->dirty) publication->is_dirty = false;
  port->dirty.clear();
  port->acts.clear();
}

// Of a publication that this node has not met nobody else can say what an earlier one took: there
// only what never left the agent counts.
void Switch::note_left_behind(PortId id, const LeftBehind& item) {
  const StreamKey key{id, item.publisher_id, item.publisher_epoch};
  std::uint64_t taken = item.sealed;
  for (const Tombstone& tombstone : tombstones_)
    if (tombstone.key == key) taken = tombstone.accepted_seq;
  if (Port* port = find_port(id))
    for (const auto& publication : port->publications)
      if (publication && publication->publisher_id == item.publisher_id &&
          publication->publisher_epoch == item.publisher_epoch)
        taken = publication->accepted_seq;
  if (item.pushed > taken) closed_.add_abandoned(item.topic, item.pushed - taken);
}

void Switch::close_port(PortId id, DropReason reason) {
  Port* port = find_port(id);
  if (port == nullptr) return;
  for (auto& subscription : port->subscriptions)
    if (subscription) end_subscription(*subscription, reason, false);
  for (auto& publication : port->publications)
    if (publication) end_publication(*publication);
  ports_.erase(id);
  if (returns_.note_gone(id)) go_on_after_returns();
}

std::uint16_t Switch::advertise(PortId id, const wire::Advertise& item) {
  Port* port = find_port(id);
  if (port == nullptr) return number(Error::closed);
  if (check_topic(item.topic) != TopicFault::none) return number(Error::bad_topic);
  const bool is_open =
      !is_reserved(item.topic) || is_reply_topic(item.topic) || is_about_requests(item.topic);
  if (!is_open) return number(Error::reserved_topic);
  if (item.publication == 0 || item.publication > config_.agent.publications_max)
    return number(Error::publications_limit);
  if (Publication* known = find_publication(id, item.publication)) {
    const bool is_same = known->publisher_id == item.publisher_id &&
                         known->publisher_epoch == item.publisher_epoch &&
                         known->topic == item.topic && known->lane == item.lane;
    // Of one that was withdrawn while the link was lost the agent has forgotten the handle.
    if (!is_same && !known->is_paused) return number(Error::denied);
    if (is_same) {
      resume_publication(*known);
      return 0;
    }
    end_publication(*known);
  }
  if (is_draining_) return number(Error::closed);
  if (publication_count_ >= config_.node.publications_max) return number(Error::publications_limit);
  if (item.retain > RetainedStore::messages_max) return number(Error::bad_bound);
  return add_publication(*port, item) != nullptr ? 0 : number(Error::memory_budget);
}

// Requires: its handle is free. nullptr when the counter file has no row for it or a pair.
Publication* Switch::add_publication(Port& port, const wire::Advertise& item) {
  if (item.publication > port.publications.size()) port.publications.resize(item.publication);
  auto& slot = port.publications[item.publication - 1];
  auto publication = std::make_unique<Publication>();
  publication->port = &port;
  publication->agent_id = port.agent_id;
  publication->is_paused = port.id == own_port_;
  publication->agent_id = port.agent_id;
  publication->handle = item.publication;
  publication->publisher_id = item.publisher_id;
  publication->publisher_epoch = item.publisher_epoch;
  publication->topic = item.topic;
  publication->lane = item.lane;
  publication->topic_hash = wire::hash64(item.topic.data(), item.topic.size());
  publication->accepted_seq = item.base_seq;
  const StreamKey key{port.id, item.publisher_id, item.publisher_epoch};
  for (const Tombstone& tombstone : tombstones_)
    if (tombstone.key == key && tombstone.accepted_seq > publication->accepted_seq)
      publication->accepted_seq = tombstone.accepted_seq;
  publication->settled_seq = publication->accepted_seq;
  if (item.returns && item.lossless_count > 0) {
    publication->awaits_returns = item.lossless_count;
    publication->awaits_until = now_ + return_patience;
  }
  publication->accepted = {publication->accepted_seq, 0};
  publication->limit = publication->limit_told = publication->accepted;
  const std::uint64_t ids[] = {port.id, item.publisher_id, item.publisher_epoch, item.publication};
  publication->row = stats_.add_row(RowKind::publication, ids, item.topic, port.name);
  if (publication->row == nullptr) return nullptr;
  publication->row->set(PublicationCounter::base, publication->accepted_seq);
  publication->row->set(PublicationCounter::lane, static_cast<std::uint64_t>(item.lane));
  publication->row->set(PublicationCounter::accepted, publication->accepted_seq);
  slot = std::move(publication);
  if (port.id != own_port_) begin_retaining(*slot, item.retain);
  ++publication_count_;
  stats_.process().set(ProcessCounter::publications_now, publication_count_);
  index_.add(*slot);
  const bool has_rows = index_.visit_matches(
      *slot, [&](Subscription& subscription) { return join(*slot, subscription); });
  if (!has_rows) {
    end_publication(*slot);
    return nullptr;
  }
  stats_.process().add(ProcessCounter::route_misses);
  note_interest(*slot);
  update_limit(*slot);
  note(*slot);
  return slot.get();
}

// The publisher counts its bytes from 0 again; its sequence goes on.
void Switch::resume_publication(Publication& publication) {
  publication.is_paused = false;
  if (publication.next_chunk != 0) send_abort(publication);
  const std::uint64_t used = publication.accepted.bytes;
  publication.accepted.bytes = 0;
  publication.limit.bytes -= used;
  publication.limit_told = publication.accepted;
  publication.limit_wanted = {};
  for (Pair* pair : publication.route)
    if (pair->subscription->policy == Policy::lossless) pair->limit.bytes -= used;
  publication.row->add(PublicationCounter::resent);
  publication.dropped_by_told = {};
  if (publication.receipts) publication.receipts->rewind();
  publication.interest_changed = true;
  publication.tells_at_once = true;
  note(publication);
}

std::uint16_t Switch::check_subscribe(const Port& port, const wire::Subscribe& item) const {
  if (check_pattern(item.pattern) != TopicFault::none) return number(Error::bad_pattern);
  const bool is_open = !is_reserved(item.pattern) || is_told_by_nodes(item.pattern) ||
                       is_about_requests(item.pattern) ||
                       agent_of_reply_topic(item.pattern) == port.agent_id;
  if (!is_open) return number(Error::reserved_topic);
  if (item.subscription == 0 || item.subscription > config_.agent.subscriptions_max)
    return number(Error::subscriptions_limit);
  if (item.policy > static_cast<std::uint8_t>(Policy::latest)) return number(Error::bad_bound);
  const bool is_latest = item.policy == static_cast<std::uint8_t>(Policy::latest);
  if (is_latest ? item.latest == 0 || item.latest > item.bound_messages : item.latest != 0)
    return number(Error::bad_bound);
  const std::uint64_t train = config_.limits.payload_bytes_max + 64 * base::kib;
  if (item.bound_messages == 0 || item.bound_messages > (1u << 20) || item.bound_bytes < train ||
      item.bound_bytes > (1ull << 30) || item.window_messages == 0 || item.window_bytes < train)
    return number(Error::bad_bound);
  if (subscription_count_ >= config_.node.subscriptions_max)
    return number(Error::node_subscriptions_limit);
  if (is_draining_) return number(Error::closed);
  return check_group(item);
}

// A pair for each publication that matches, now and from now on. False without a row for one: the
// caller ends it.
bool Switch::join_all(Subscription& subscription) {
  if (subscription.wants == wire::Retained::last_value) return true;
  index_.add(subscription);
  return index_.visit_matches(subscription, [&](Publication& publication) {
    const bool has_row = join(publication, subscription);
    note_interest(publication);
    if (has_row && publication.port->id == own_port_) offer_letters(*publication.route.back());
    return has_row;
  });
}

wire::Subscribed Switch::subscribe(PortId id, const wire::Subscribe& item, base::Nanos now) {
  now_ = now;
  wire::Subscribed answer{item.subscription, 0, generation_, 0};
  Port* port = find_port(id);
  if (port == nullptr) {
    answer.error = number(Error::closed);
    return answer;
  }
  if (Subscription* existing = find_subscription(id, item.subscription)) {
    if (!resume_subscription(*existing, item)) answer.error = number(Error::denied);
    const Subscription& joined = existing->group != nullptr ? *existing->group->own : *existing;
    answer.matched_publications = static_cast<std::uint32_t>(joined.pairs.size());
    return answer;
  }
  answer.error = item.resumes ? refuse_resume(*port, item) : check_subscribe(*port, item);
  if (answer.error == 0) answer.error = check_snapshot(item);
  if (answer.error != 0) return answer;
  auto subscription = std::make_unique<Subscription>();
  subscription->port = port;
  subscription->handle = item.subscription;
  subscription->pattern = item.pattern;
  subscription->policy = static_cast<Policy>(item.policy);
  // The node is not held.
  const bool is_about_node = is_told_by_nodes(item.pattern);
  if (is_about_node && subscription->policy == Policy::lossless)
    subscription->policy = Policy::drop_new;
  subscription->latest_max = item.latest;
  subscription->returns = item.returns;
  if (item.group.empty()) subscription->wants = item.retained;
  subscription->bound = {item.bound_messages, item.bound_bytes};
  subscription->window = {item.window_messages, item.window_bytes};
  subscription->stall_limit = base::Nanos{item.stall_ms} * base::millisecond;
  const std::uint64_t ids[] = {id, item.subscription};
  subscription->row =
      stats_.add_row(RowKind::subscription, ids, item.pattern, item.group, port->name);
  if (subscription->row == nullptr) {
    answer.error = number(Error::memory_budget);
    return answer;
  }
  subscription->row->set(SubscriptionCounter::policy,
                         static_cast<std::uint64_t>(subscription->policy));
  if (item.subscription > port->subscriptions.size()) port->subscriptions.resize(item.subscription);
  auto& slot = port->subscriptions[item.subscription - 1];
  slot = std::move(subscription);
  ++subscription_count_;
  std::erase(port->ended, item.subscription);
  if (is_about_node) ++reserved_subscriptions_;
  stats_.process().set(ProcessCounter::subscriptions_now, subscription_count_);
  answer.generation = ++generation_;
  bool has_rows = item.group.empty() ? join_all(*slot) : enter_group(*slot, item);
  has_rows = has_rows && (pieces_.empty() || open_snapshot(*slot));
  if (!has_rows) {
    end_subscription(*slot, DropReason::shutdown, false);
    answer.error = number(Error::memory_budget);
    return answer;
  }
  give_snapshot(*slot);
  if (returns_.note_subscribed(id, item.subscription, item.pattern, item.group))
    go_on_after_returns();
  const Subscription& joined = slot->group != nullptr ? *slot->group->own : *slot;
  answer.matched_publications = static_cast<std::uint32_t>(joined.pairs.size());
  return answer;
}

// What it would resume is not there: the agent registers it afresh, with numbers of its own; but if
// it was ended, and the word of it was lost with the link, then it is told again.
std::uint16_t Switch::refuse_resume(Port& port, const wire::Subscribe& item) const {
  const bool was_ended =
      std::find(port.ended.begin(), port.ended.end(), item.subscription) != port.ended.end();
  if (!was_ended) return number(Error::closed);
  std::erase_if(port.gone,
                [&](const auto& gone) { return gone.subscription == item.subscription; });
  return number(Error::stalled_out);
}

// What was in flight and did not arrive goes out again first, under its old delivery numbers.
bool Switch::resume_subscription(Subscription& subscription, const wire::Subscribe& item) {
  if (!item.resumes || subscription.pattern != item.pattern) return false;
  for (std::size_t index = 0; index < subscription.lines.size(); ++index)
    if (item.resume_received[index] > subscription.lines[index].records_sent) return false;
  for (std::size_t index = 0; index < subscription.lines.size(); ++index) {
    release_received(subscription.lines[index], item.resume_received[index]);
    take_back(subscription, subscription.lines[index]);
  }
  show_numbers(subscription);
  subscription.blocked_since = 0;
  subscription.is_paused = false;
  if (subscription.member != nullptr) {
    subscription.member->is_away = false;
    deal_later(*subscription.group);
  }
  note_all_ready(subscription);
  return true;
}

// What of a line did not arrive stands in its queue again.
void Switch::take_back(Subscription& subscription, Line& line) {
  while (line.in_flight.count() > line.received_entries) {
    Entry entry = std::move(line.in_flight.back());
    line.in_flight.pop_back();
    --line.records_sent;
    // What is sent again restores what it did to the train.
    if (entry.pair != nullptr) {
      if (entry.count > 0 || entry.routed->aborts) entry.pair->sends_train = entry.routed->is_train;
      if (entry.routed->first_of_train) entry.pair->sends_train = false;
    }
    if (entry.pair != nullptr) {
      StatsRow& row = *entry.pair->row;
      const std::uint32_t messages = entry.count - entry.refused_count;
      row.set(PairCounter::in_flight, row.get(PairCounter::in_flight) - messages);
      row.add(PairCounter::queued, messages);
    }
    entry.is_sent = false;
    const Amount amount{entry.count, entry.charge};
    if (entry.routed->expires_at != 0) ++subscription.expiring;
    subscription.sent = subscription.sent - amount;
    subscription.queued = subscription.queued + amount;
    queued_ = queued_ + amount;
    line.queue.push_front(std::move(entry));
  }
}

}  // namespace abuzz::delivery
