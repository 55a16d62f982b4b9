#include <algorithm>
#include <iterator>

#include "bus/stats.hpp"

// The words for every counter, apart from the mechanism because only this grows.

namespace abuzz {
namespace {

constexpr RowKind process = RowKind::process, agent = RowKind::agent;
constexpr RowKind publication = RowKind::publication, subscription = RowKind::subscription;
constexpr RowKind pair = RowKind::pair, topic = RowKind::topic, departed = RowKind::departed;
constexpr RowKind thread = RowKind::thread, retained = RowKind::retained;
constexpr RowKind move = RowKind::move;

template <class Id>
constexpr CounterInfo counter(RowKind kind, Id id, const char* key, const char* label,
                              const char* unit, bool is_gauge = false) {
  return {kind, static_cast<std::uint16_t>(id), key, label, unit, is_gauge, CounterSide::node};
}
template <class Id>
constexpr CounterInfo gauge(RowKind kind, Id id, const char* key, const char* label,
                            const char* unit) {
  return counter(kind, id, key, label, unit, true);
}
constexpr CounterInfo of_agent(CounterInfo info) {
  info.side = CounterSide::agent;
  return info;
}
constexpr CounterInfo of_nobody(CounterInfo info) {
  info.side = CounterSide::nobody;
  return info;
}

using P = ProcessCounter;
using A = AgentCounter;
using Pub = PublicationCounter;
using Sub = SubscriptionCounter;
using Pr = PairCounter;
using T = TopicCounter;
using D = DepartedCounter;
using Th = ThreadCounter;
using R = RetainedCounter;
using M = MoveCounter;

// Ids of one kind are consecutive and ascending. The unit "at ns": a moment of the monotonic clock.
constexpr CounterInfo counters[] = {
    counter(process, P::frames_in, "frames_in", "frames in", "frames"),
    counter(process, P::frames_out, "frames_out", "frames out", "frames"),
    counter(process, P::bytes_in, "bytes_in", "bytes in", "bytes"),
    counter(process, P::bytes_out, "bytes_out", "bytes out", "bytes"),
    counter(process, P::batches_in, "batches_in", "batches in", "batches"),
    counter(process, P::batches_out, "batches_out", "batches out", "batches"),
    counter(process, P::messages_in, "messages_in", "messages in", "messages"),
    counter(process, P::messages_out, "messages_out", "messages out", "messages"),
    counter(process, P::frames_rejected, "frames_rejected", "frames rejected", "frames"),
    counter(process, P::batches_rejected, "batches_rejected", "batches rejected", "batches"),
    counter(process, P::strikes, "strikes", "strikes given", "1"),
    counter(process, P::strangers, "strangers", "frames of unknown sessions", "frames"),
    counter(process, P::sessions_opened, "sessions_opened", "sessions opened", "sessions"),
    counter(process, P::sessions_closed, "sessions_closed", "sessions closed", "sessions"),
    gauge(process, P::agents_now, "agents_now", "agents", "agents"),
    gauge(process, P::subscriptions_now, "subscriptions_now", "subscriptions", "1"),
    gauge(process, P::publications_now, "publications_now", "publishers", "1"),
    counter(process, P::route_hits, "route_hits", "route cache hits", "1"),
    counter(process, P::route_misses, "route_misses", "route cache misses", "1"),
    counter(process, P::pool_hits, "pool_hits", "pool hits", "buffers"),
    counter(process, P::pool_misses, "pool_misses", "pool misses", "buffers"),
    gauge(process, P::pool_bytes_held, "pool_bytes_held", "pool bytes held", "bytes"),
    counter(process, P::hub_full, "hub_full", "sends refused, link full", "frames"),
    counter(process, P::hub_unreachable, "hub_unreachable", "sends refused, peer gone", "frames"),
    counter(process, P::door_turned_away, "door_turned_away", "turned away at the door", "1"),
    counter(process, P::wakeups, "wakeups", "wake-ups", "1"),
    counter(process, P::busy_ns, "busy_ns", "busy time", "ns"),
    gauge(process, P::beat_ns, "beat_ns", "last beat", "at ns"),
    gauge(process, P::queued_messages, "queued_messages", "queued messages", "messages"),
    gauge(process, P::queued_bytes, "queued_bytes", "queued bytes", "bytes"),
    counter(process, P::over_limit, "over_limit", "refused over a limit", "1"),
    counter(process, P::corrupt_reported, "corrupt_reported", "corrupt batches reported",
            "batches"),
    counter(process, P::memory_refused, "memory_refused", "refused by the memory budget", "1"),
    gauge(process, P::state, "state", "state", "state"),
    gauge(process, P::held_bytes, "held_bytes", "bytes of batches held", "bytes"),
    counter(process, P::events, "events", "events told", "messages"),
    counter(process, P::events_unheard, "events_unheard", "events without a subscriber",
            "messages"),
    counter(process, P::events_lost, "events_lost", "events lost", "messages"),
    gauge(process, P::bulk_ahead_bytes, "bulk_ahead_bytes", "most bulk ahead on a link", "bytes"),
    counter(process, P::links_broken, "links_broken", "links broken", "links"),
    gauge(process, P::dead_letters, "dead_letters", "dead letters kept", "messages"),
    counter(process, P::dead_forgotten, "dead_forgotten", "dead letters forgotten", "messages"),
    counter(process, P::moves, "moves", "moves between shards", "1"),
    gauge(process, P::meeting, "meeting", "processor of conversations, +1", "1"),
    gauge(process, P::waiting, "waiting", "waiting profile", "profile"),
    counter(process, P::waiting_ns, "waiting_ns", "time spent awake waiting", "ns"),
    of_agent(gauge(process, P::workers, "workers", "workers of its pool", "threads")),
    of_agent(counter(process, P::workers_grown, "workers_grown", "workers started", "threads")),
    of_agent(counter(process, P::workers_shrunk, "workers_shrunk", "workers given up", "threads")),
    of_agent(counter(process, P::calls_stolen, "calls_stolen", "calls taken from other workers",
                     "calls")),
    of_agent(counter(process, P::pins_refused, "pins_refused", "pins refused", "threads")),

    gauge(agent, A::state, "state", "state", "state"),
    gauge(agent, A::session_epoch, "session_epoch", "session epoch", "1"),
    counter(agent, A::frames_in, "frames_in", "frames in", "frames"),
    counter(agent, A::frames_out, "frames_out", "frames out", "frames"),
    counter(agent, A::bytes_in, "bytes_in", "bytes in", "bytes"),
    counter(agent, A::bytes_out, "bytes_out", "bytes out", "bytes"),
    counter(agent, A::messages_in, "messages_in", "messages in", "messages"),
    counter(agent, A::messages_out, "messages_out", "messages out", "messages"),
    counter(agent, A::strikes, "strikes", "strikes taken", "1"),
    gauge(agent, A::connected_at_ns, "connected_at_ns", "connected", "at ns"),
    gauge(agent, A::last_beat_ns, "last_beat_ns", "last beat", "at ns"),
    gauge(agent, A::reconnects, "reconnects", "reconnects", "1"),
    gauge(agent, A::responsive, "responsive", "responsive", "yes or no"),
    gauge(agent, A::progressing, "progressing", "progressing", "yes or no"),
    gauge(agent, A::unsettled, "unsettled", "deliveries to handle", "messages"),
    gauge(agent, A::progress_ns, "progress_ns", "last progress", "at ns"),
    gauge(agent, A::bulk_ahead_bytes, "bulk_ahead_bytes", "most bulk ahead on its link", "bytes"),
    gauge(agent, A::shard, "shard", "shard", "1"),
    counter(agent, A::moves, "moves", "moves between shards", "1"),

    of_agent(counter(publication, Pub::pushed, "pushed", "published", "messages")),
    of_agent(gauge(publication, Pub::last_seq, "last_seq", "last sequence", "1")),
    counter(publication, Pub::accepted, "accepted", "accepted by the node", "messages"),
    counter(publication, Pub::batches, "batches", "batches", "batches"),
    counter(publication, Pub::bytes, "bytes", "payload bytes", "bytes"),
    counter(publication, Pub::no_subscriber, "no_subscriber", "without a subscriber", "messages"),
    counter(publication, Pub::delivered, "delivered", "delivered", "messages"),
    counter(publication, Pub::dropped, "dropped", "dropped", "messages"),
    counter(publication, Pub::duplicate, "duplicate", "duplicates recognised", "messages"),
    counter(publication, Pub::voided, "voided", "void", "messages"),
    of_agent(counter(publication, Pub::refused_back_pressured, "refused_back_pressured",
                     "refused, back pressure", "messages")),
    of_agent(counter(publication, Pub::refused_too_large, "refused_too_large", "refused, too large",
                     "messages")),
    of_agent(
        counter(publication, Pub::refused_closed, "refused_closed", "refused, closed", "messages")),
    gauge(publication, Pub::match_count, "match_count", "matching subscriptions", "1"),
    gauge(publication, Pub::limit_messages, "limit_messages", "credit limit, messages", "messages"),
    gauge(publication, Pub::limit_bytes, "limit_bytes", "credit limit, bytes", "bytes"),
    of_agent(counter(publication, Pub::resent, "resent", "sent again", "messages")),
    of_nobody(counter(publication, Pub::held_ns, "held_ns", "time held", "ns")),
    gauge(publication, Pub::lane, "lane", "lane", "lane"),
    gauge(publication, Pub::base, "base", "accepted by earlier nodes", "messages"),
    counter(publication, Pub::routed, "routed", "routed to subscriptions", "messages"),
    of_agent(counter(publication, Pub::unknown, "unknown", "unknown, node lost", "messages")),
    counter(publication, Pub::unknown_outcome, "unknown_outcome", "unknown, peer gone", "messages"),
    counter(publication, Pub::receipts_asked, "receipts_asked", "receipts asked", "messages"),
    counter(publication, Pub::receipts_settled, "receipts_settled", "receipts written", "messages"),
    gauge(publication, Pub::holder, "holder", "waits for row", "1"),

    gauge(subscription, Sub::policy, "policy", "policy", "policy"),
    gauge(subscription, Sub::sent_no, "sent_no", "last number sent", "1"),
    gauge(subscription, Sub::received_no, "received_no", "last number received", "1"),
    gauge(subscription, Sub::done_no, "done_no", "last number settled", "1"),
    gauge(subscription, Sub::queued_messages, "queued_messages", "queued messages", "messages"),
    gauge(subscription, Sub::queued_bytes, "queued_bytes", "queued bytes", "bytes"),
    of_agent(counter(subscription, Sub::received, "received", "received", "messages")),
    of_nobody(counter(subscription, Sub::started, "started", "handlers started", "messages")),
    of_agent(counter(subscription, Sub::finished, "finished", "handlers finished", "messages")),
    of_agent(
        counter(subscription, Sub::duplicate, "duplicate", "duplicates recognised", "messages")),
    of_agent(counter(subscription, Sub::gap, "gap", "gaps seen", "1")),
    of_agent(counter(subscription, Sub::corrupt, "corrupt", "corrupt", "batches")),
    of_agent(counter(subscription, Sub::batches, "batches", "batches", "batches")),
    counter(subscription, Sub::dropped_queue_full, "dropped_queue_full", "dropped, queue full",
            "messages"),
    counter(subscription, Sub::dropped_peer_gone, "dropped_peer_gone", "dropped, peer gone",
            "messages"),
    counter(subscription, Sub::dropped_shutdown, "dropped_shutdown", "dropped, shutdown",
            "messages"),
    counter(subscription, Sub::dropped_corrupt, "dropped_corrupt", "dropped, corrupt", "messages"),
    gauge(subscription, Sub::matched_publications, "matched_publications", "matching publishers",
          "1"),
    counter(subscription, Sub::stalls, "stalls", "stalls", "1"),
    of_agent(counter(subscription, Sub::pool_misses, "pool_misses", "pool misses", "buffers")),
    counter(subscription, Sub::dropped_conflated, "dropped_conflated", "dropped, conflated",
            "messages"),
    counter(subscription, Sub::dropped_expired, "dropped_expired", "dropped, expired", "messages"),
    gauge(subscription, Sub::queued_batches, "queued_batches", "queued batches", "batches"),
    counter(subscription, Sub::delivered, "delivered", "delivered", "messages"),
    counter(subscription, Sub::refused, "refused", "refused", "messages"),
    counter(subscription, Sub::unknown_peer_gone, "unknown_peer_gone", "unknown, peer gone",
            "messages"),
    of_agent(counter(subscription, Sub::done_before, "done_before", "settled with earlier nodes",
                     "messages")),
    counter(subscription, Sub::dropped_dead, "dropped_dead", "dropped, dead", "messages"),
    gauge(subscription, Sub::members, "members", "members of the group", "1"),
    gauge(subscription, Sub::leased, "leased", "leased", "messages"),
    counter(subscription, Sub::redelivered, "redelivered", "delivered again", "messages"),
    counter(subscription, Sub::lapsed, "lapsed", "leases lapsed", "messages"),
    counter(subscription, Sub::nacked, "nacked", "given back", "messages"),
    counter(subscription, Sub::stale, "stale", "words about leases that were over", "messages"),

    gauge(pair, Pr::join, "join", "first sequence", "1"),
    counter(pair, Pr::handed, "handed", "handed over", "messages"),
    counter(pair, Pr::taken, "taken", "taken", "messages"),
    counter(pair, Pr::delivered, "delivered", "delivered", "messages"),
    gauge(pair, Pr::queued, "queued", "queued", "messages"),
    counter(pair, Pr::dropped_queue_full, "dropped_queue_full", "dropped, queue full", "messages"),
    counter(pair, Pr::dropped_peer_gone, "dropped_peer_gone", "dropped, peer gone", "messages"),
    counter(pair, Pr::dropped_shutdown, "dropped_shutdown", "dropped, shutdown", "messages"),
    counter(pair, Pr::dropped_corrupt, "dropped_corrupt", "dropped, corrupt", "messages"),
    counter(pair, Pr::dropped_too_large, "dropped_too_large", "dropped, too large", "messages"),
    counter(pair, Pr::unknown_peer_gone, "unknown_peer_gone", "unknown, peer gone", "messages"),
    counter(pair, Pr::unknown_node_lost, "unknown_node_lost", "unknown, node lost", "messages"),
    counter(pair, Pr::void_after_join, "void_after_join", "void", "messages"),
    counter(pair, Pr::dropped_conflated, "dropped_conflated", "dropped, conflated", "messages"),
    counter(pair, Pr::dropped_expired, "dropped_expired", "dropped, expired", "messages"),
    counter(pair, Pr::matched, "matched", "matched", "messages"),
    gauge(pair, Pr::in_flight, "in_flight", "in flight", "messages"),
    counter(pair, Pr::dropped_dead, "dropped_dead", "dropped, dead", "messages"),

    counter(topic, T::publications, "publications", "publishers that ended", "1"),
    counter(topic, T::accepted, "accepted", "accepted by the node", "messages"),
    counter(topic, T::routed, "routed", "routed to subscriptions", "messages"),
    counter(topic, T::no_subscriber, "no_subscriber", "without a subscriber", "messages"),
    counter(topic, T::voided, "voided", "void", "messages"),
    counter(topic, T::pairs, "pairs", "pairs that ended", "1"),
    counter(topic, T::matched, "matched", "matched", "messages"),
    counter(topic, T::delivered, "delivered", "delivered", "messages"),
    counter(topic, T::queued, "queued", "left in a queue", "messages"),
    counter(topic, T::in_flight, "in_flight", "left in flight", "messages"),
    counter(topic, T::dropped_queue_full, "dropped_queue_full", "dropped, queue full", "messages"),
    counter(topic, T::dropped_peer_gone, "dropped_peer_gone", "dropped, peer gone", "messages"),
    counter(topic, T::dropped_shutdown, "dropped_shutdown", "dropped, shutdown", "messages"),
    counter(topic, T::dropped_corrupt, "dropped_corrupt", "dropped, corrupt", "messages"),
    counter(topic, T::dropped_too_large, "dropped_too_large", "dropped, too large", "messages"),
    counter(topic, T::dropped_conflated, "dropped_conflated", "dropped, conflated", "messages"),
    counter(topic, T::dropped_expired, "dropped_expired", "dropped, expired", "messages"),
    counter(topic, T::unknown_peer_gone, "unknown_peer_gone", "unknown, peer gone", "messages"),
    counter(topic, T::unknown_node_lost, "unknown_node_lost", "unknown, node lost", "messages"),
    counter(topic, T::void_after_join, "void_after_join", "void of pairs", "messages"),
    counter(topic, T::dropped_dead, "dropped_dead", "dropped, dead", "messages"),
    counter(topic, T::abandoned, "abandoned", "void, publisher gone", "messages"),

    gauge(departed, D::at_ns, "at_ns", "ended", "at ns"),
    gauge(departed, D::stalled, "stalled", "stood still", "1"),
    counter(departed, D::delivered, "delivered", "delivered", "messages"),
    counter(departed, D::dropped, "dropped", "dropped", "messages"),
    counter(departed, D::unknown, "unknown", "unknown", "messages"),

    gauge(thread, Th::role, "role", "role", "role"),
    gauge(thread, Th::index, "index", "number of its role", "1"),
    gauge(thread, Th::pinned, "pinned", "pinned", "yes or no"),
    counter(thread, Th::refused, "refused", "pins refused", "1"),
    gauge(thread, Th::processors, "processors", "processors it may use", "1"),
    counter(thread, Th::busy_ns, "busy_ns", "busy time", "ns"),
    counter(thread, Th::wakeups, "wakeups", "wake-ups", "1"),
    counter(thread, Th::turns, "turns", "turns at the switch", "1"),
    counter(thread, Th::in_vain, "in_vain", "turns not had at once", "1"),
    counter(thread, Th::waited_ns, "waited_ns", "time waited for turns", "ns"),
    counter(thread, Th::turn_ns, "turn_ns", "time inside turns", "ns"),

    gauge(retained, R::messages, "messages", "retained now", "messages"),
    gauge(retained, R::bytes, "bytes", "bytes kept alive", "bytes"),
    gauge(retained, R::messages_max, "messages_max", "retained of each key", "messages"),
    counter(retained, R::kept, "kept", "taken to be retained", "messages"),
    counter(retained, R::replaced, "replaced", "replaced by newer ones", "messages"),
    counter(retained, R::evicted, "evicted", "evicted for want of room", "messages"),
    counter(retained, R::expired, "expired", "expired", "messages"),
    counter(retained, R::hits, "hits", "gets that found a value", "1"),
    counter(retained, R::misses, "misses", "gets that found none", "1"),
    counter(retained, R::snapshots, "snapshots", "snapshots given", "1"),
    counter(retained, R::snapshot_messages, "snapshot_messages", "messages in snapshots",
            "messages"),

    gauge(move, M::at_ns, "at_ns", "moved", "at ns"),
    gauge(move, M::from, "from", "from shard", "1"),
    gauge(move, M::to, "to", "to shard", "1"),
};

constexpr bool fits(const CounterInfo& info) {
  return info.id < row_counters_max && std::string_view(info.label).size() < counter_label_bytes &&
         std::string_view(info.unit).size() < counter_unit_bytes;
}
static_assert(std::all_of(std::begin(counters), std::end(counters), fits));

}  // namespace

std::span<const CounterInfo> counter_table() noexcept {
  return counters;
}

const char* peer_state_name(PeerState state) noexcept {
  switch (state) {
    case PeerState::none:
      return "none";
    case PeerState::starting:
      return "starting";
    case PeerState::ready:
      return "ready";
    case PeerState::stalled:
      return "stalled";
    case PeerState::draining:
      return "draining";
    case PeerState::gone:
      return "gone";
    case PeerState::busy:
      return "busy";
  }
  return "unknown";
}

}  // namespace abuzz
