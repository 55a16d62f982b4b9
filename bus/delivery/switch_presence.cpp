#include <cstring>
#include <utility>

#include "bus/base/check.hpp"
#include "bus/delivery/switch.hpp"
#include "bus/topic.hpp"

// What the node itself publishes, and what it wants to know about an agent's work. Its publications
// exist while somebody may listen, have no credit, and are told nothing.

namespace abuzz::delivery {

namespace {

// Put off at most; then the oldest is lost. Each is some hundred bytes.
constexpr std::size_t announcements_max = 4096;

}  // namespace

void Switch::open_own_port(PortId id) {
  own_port_ = id;
  open_port(id);
}

bool Switch::is_heard(std::string_view topic) const noexcept {
  if (reserved_subscriptions_ == 0) return false;
  for (const auto& [id, port] : ports_)
    for (const auto& subscription : port->subscriptions)
      if (subscription && matches(subscription->pattern, topic)) return true;
  return false;
}

// nullptr where nobody listens, unless what is told is kept; or the counter file is full.
Publication* Switch::own_publication(const std::string& topic, wire::Lane lane, bool is_kept) {
  if (const auto found = own_topics_.find(topic); found != own_topics_.end())
    return find_publication(own_port_, found->second);
  if (!is_kept && !is_heard(topic)) return nullptr;
  Port& port = *find_port(own_port_);
  std::uint32_t handle = 1;
  while (handle <= port.publications.size() && port.publications[handle - 1]) ++handle;
  wire::Advertise item;
  item.publication = handle;
  item.publisher_id = ++own_publisher_last_;
  item.publisher_epoch = 1;
  item.topic = topic;
  item.lane = lane;
  Publication* publication = add_publication(port, item);
  if (publication != nullptr) own_topics_[topic] = handle;
  return publication;
}

mem::Buffer Switch::seal_own(const Publication& publication, std::string_view payload,
                             base::Nanos wall_now) {
  const std::string& topic = publication.topic;
  const std::size_t bytes = base::align_up(payload.size(), wire::BatchBuilder::payload_alignment);
  mem::Buffer block = pool_.try_acquire(wire::BatchBuilder::bytes_needed(1, topic.size(), bytes));
  if (!block) return {};
  wire::BatchBuilder builder(block.span(), 1, topic.size());
  std::memcpy(builder.claim(payload.size()).data(), payload.data(), payload.size());
  builder.commit_entry(payload.size(), 0, 0, 0);
  wire::Envelope envelope;
  envelope.lane = publication.lane;
  envelope.origin = node_id_;
  envelope.agent_id = own_port_;
  envelope.publisher_id = publication.publisher_id;
  envelope.publisher_epoch = publication.publisher_epoch;
  envelope.first_seq = publication.accepted_seq + 1;
  envelope.send_time_ns = wall_now;
  const wire::BatchBuilder::Sealed sealed = builder.seal(1, envelope, topic);
  return block.slice(sealed.offset, sealed.bytes);
}

void Switch::announce(std::string&& topic, std::string&& payload, base::Nanos now,
                      base::Nanos wall_now) {
  now_ = now;
  stats_.process().add(ProcessCounter::events);
  put_off({std::move(topic), std::move(payload), wall_now, false});
  announce_waiting();
}

void Switch::skip_announcement() noexcept {
  stats_.process().add(ProcessCounter::events);
  stats_.process().add(ProcessCounter::events_unheard);
}

void Switch::retire(std::string&& topic) {
  if (announcements_.empty() && !own_topics_.contains(topic)) return;
  put_off({std::move(topic), {}, 0, true});
  announce_waiting();
}

void Switch::put_off(Announcement&& item) {
  announcements_.push_back(std::move(item));
  if (announcements_.size() <= announcements_max) return;
  stats_.process().add(ProcessCounter::events_lost);
  announcements_.pop_front();
}

void Switch::announce_waiting() {
  while (!announcements_.empty() && try_announce(announcements_.front()))
    announcements_.pop_front();
}

// False when it has to wait for a buffer.
bool Switch::try_announce(const Announcement& item) {
  if (item.retires) {
    const auto found = own_topics_.find(item.topic);
    if (found == own_topics_.end()) return true;
    Publication* ending = find_publication(own_port_, found->second);
    own_topics_.erase(found);
    end_publication(*ending);
    return true;
  }
  StatsRow& process = stats_.process();
  Publication* publication = own_publication(item.topic, wire::Lane::high, false);
  if (publication == nullptr) {
    process.add(is_heard(item.topic) ? ProcessCounter::events_lost
                                     : ProcessCounter::events_unheard);
    return true;
  }
  mem::Buffer slice = seal_own(*publication, item.payload, item.wall_now);
  if (!slice) return false;
  accept_own(*publication, std::move(slice));
  return true;
}

void Switch::accept_own(Publication& publication, mem::Buffer&& slice) {
  wire::BatchHead head;
  wire::Record record;
  const bool is_whole = wire::BatchHead::parse(slice.span(), head) == wire::Reject::none;
  ABUZZ_CHECK(is_whole);
  record.lane = head.envelope.lane;
  record.handle = publication.handle;
  record.message_count = 1;
  record.seq = head.envelope.first_seq;
  // The node waits for nobody: it always has the credit.
  publication.limit = publication.accepted + Amount{1, wire::charged_bytes(head.envelope)};
  const Verdict verdict = accept(own_port_, record, head, std::move(slice), now_);
  ABUZZ_CHECK(verdict == Verdict::taken);
}

// Subscriptions to the node's own events are left out: else an agent that is slow with them would
// be told of its own slowness by more of them.
Switch::Load Switch::load_of(PortId id) const noexcept {
  Load load;
  const auto found = ports_.find(id);
  if (found == ports_.end()) return load;
  load.subscriptions = found->second->subscriptions.size();
  for (const auto& subscription : found->second->subscriptions) {
    if (!subscription || is_about_agents(subscription->pattern)) continue;
    for (const Line& line : subscription->lines) load.settled += line.done_no;
    // What a member has handled and not acknowledged is no work that waits for it.
    if (const Member* member = subscription->member; member != nullptr)
      load.unsettled += member->dealt.messages - member->handled;
    for (const auto& pair : subscription->pairs)
      load.unsettled +=
          pair->row->get(PairCounter::queued) + pair->row->get(PairCounter::in_flight);
    if (const Pair* given = subscription->snapshot.get())
      load.unsettled +=
          given->row->get(PairCounter::queued) + given->row->get(PairCounter::in_flight);
  }
  return load;
}

}  // namespace abuzz::delivery
