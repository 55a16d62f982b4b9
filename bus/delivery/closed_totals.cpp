#include "bus/delivery/closed_totals.hpp"

#include <array>
#include <utility>

#include "bus/topic.hpp"

namespace abuzz::delivery {

namespace {

using Pub = PublicationCounter;
using Pr = PairCounter;
using Sub = SubscriptionCounter;
using T = TopicCounter;

constexpr std::array<std::pair<Pr, T>, 15> pair_terms{{
    {Pr::matched, T::matched},
    {Pr::delivered, T::delivered},
    {Pr::queued, T::queued},
    {Pr::in_flight, T::in_flight},
    {Pr::dropped_queue_full, T::dropped_queue_full},
    {Pr::dropped_peer_gone, T::dropped_peer_gone},
    {Pr::dropped_shutdown, T::dropped_shutdown},
    {Pr::dropped_corrupt, T::dropped_corrupt},
    {Pr::dropped_too_large, T::dropped_too_large},
    {Pr::dropped_conflated, T::dropped_conflated},
    {Pr::dropped_expired, T::dropped_expired},
    {Pr::dropped_dead, T::dropped_dead},
    {Pr::unknown_peer_gone, T::unknown_peer_gone},
    {Pr::unknown_node_lost, T::unknown_node_lost},
    {Pr::void_after_join, T::void_after_join},
}};

}  // namespace

// What the node tells about agents is one sum, and so are replies: every agent would be a topic, or
// several, and take the place of those that people named.
StatsRow* ClosedTotals::row_of(const std::string& ended) {
  const std::string topic = is_about_agents(ended)  ? "$agents.>"
                            : is_reply_topic(ended) ? "$reply.>"
                                                    : ended;
  const bool is_full = topics_.size() >= topics_max && !topics_.contains(topic);
  const auto [found, is_new] = topics_.try_emplace(is_full ? std::string() : topic, nullptr);
  if (found->second == nullptr) found->second = stats_.add_row(RowKind::topic, {}, found->first);
  return found->second;
}

void ClosedTotals::add_publication(const std::string& topic, const StatsRow& publication) {
  StatsRow* row = row_of(topic);
  if (row == nullptr) return;
  row->add(T::publications);
  row->add(T::accepted, publication.get(Pub::accepted) - publication.get(Pub::base));
  row->add(T::routed, publication.get(Pub::routed));
  row->add(T::no_subscriber, publication.get(Pub::no_subscriber));
  row->add(T::voided, publication.get(Pub::voided));
}

void ClosedTotals::add_abandoned(const std::string& topic, std::uint64_t messages) {
  if (StatsRow* row = row_of(topic)) row->add(T::abandoned, messages);
}

void ClosedTotals::add_pair(const std::string& topic, const StatsRow& pair) {
  StatsRow* row = row_of(topic);
  if (row == nullptr) return;
  row->add(T::pairs);
  for (const auto& [from, to] : pair_terms) row->add(to, pair.get(from));
}

void ClosedTotals::note_departed(const Departed& departed, const StatsRow& subscription,
                                 base::Nanos now) {
  if (departed_.size() >= departed_max) {
    stats_.remove_row(departed_.front());
    departed_.pop_front();
  }
  const std::uint64_t ids[] = {departed.agent_id, departed.handle};
  StatsRow* row = stats_.add_row(RowKind::departed, ids, departed.pattern, departed.agent);
  if (row == nullptr) return;
  row->set(DepartedCounter::at_ns, static_cast<std::uint64_t>(now));
  row->set(DepartedCounter::stalled, departed.is_stalled ? 1 : 0);
  row->set(DepartedCounter::delivered, subscription.get(Sub::delivered));
  row->set(DepartedCounter::dropped, subscription.get(Sub::dropped_peer_gone));
  row->set(DepartedCounter::unknown, subscription.get(Sub::unknown_peer_gone));
  departed_.push_back(row);
}

}  // namespace abuzz::delivery
