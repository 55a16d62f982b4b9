#include "tools/reasons.hpp"

#include <span>

#include "tools/command_line.hpp"

namespace abuzz::tools {
namespace {

template <class Id>
struct Named {
  Id id;
  std::string_view name;
};

using Pr = PairCounter;
constexpr Named<Pr> dropped_by_pair[] = {
    {Pr::dropped_queue_full, "queue full"}, {Pr::dropped_conflated, "conflated"},
    {Pr::dropped_expired, "expired"},       {Pr::dropped_peer_gone, "peer gone"},
    {Pr::dropped_shutdown, "shutdown"},     {Pr::dropped_corrupt, "corrupt"},
    {Pr::dropped_too_large, "too large"},   {Pr::dropped_dead, "dead"},
};
constexpr Named<Pr> unknown_by_pair[] = {
    {Pr::unknown_peer_gone, "peer gone"},
    {Pr::unknown_node_lost, "node lost"},
};
using T = TopicCounter;
constexpr Named<T> dropped_by_topic[] = {
    {T::dropped_queue_full, "queue full"}, {T::dropped_conflated, "conflated"},
    {T::dropped_expired, "expired"},       {T::dropped_peer_gone, "peer gone"},
    {T::dropped_shutdown, "shutdown"},     {T::dropped_corrupt, "corrupt"},
    {T::dropped_too_large, "too large"},   {T::dropped_dead, "dead"},
};
constexpr Named<T> unknown_by_topic[] = {
    {T::unknown_peer_gone, "peer gone"},
    {T::unknown_node_lost, "node lost"},
};
using Sub = SubscriptionCounter;
constexpr Named<Sub> dropped_by_subscription[] = {
    {Sub::dropped_queue_full, "queue full"},
    {Sub::dropped_conflated, "conflated"},
    {Sub::dropped_expired, "expired"},
    {Sub::dropped_peer_gone, "peer gone"},
    {Sub::dropped_shutdown, "shutdown"},
    {Sub::dropped_corrupt, "corrupt"},
    {Sub::dropped_dead, "dead"},
};
constexpr Named<Sub> unknown_by_subscription[] = {{Sub::unknown_peer_gone, "peer gone"}};

template <class Id>
Reasons collect(const RowSnapshot& row, std::span<const Named<Id>> named) {
  Reasons reasons;
  for (const auto& [id, name] : named) add_reason(reasons, name, row.get(id));
  return reasons;
}

}  // namespace

void add_reason(Reasons& reasons, std::string_view name, std::uint64_t count) {
  if (count == 0) return;
  for (auto& [known, sum] : reasons) {
    if (known == name) {
      sum += count;
      return;
    }
  }
  reasons.emplace_back(name, count);
}

void add_reasons(Reasons& reasons, const Reasons& more) {
  for (const auto& [name, count] : more) add_reason(reasons, name, count);
}

std::uint64_t total(const Reasons& reasons) {
  std::uint64_t sum = 0;
  for (const auto& [name, count] : reasons) sum += count;
  return sum;
}

std::string describe(const Reasons& reasons) {
  if (reasons.empty()) return "0";
  std::string text;
  for (const auto& [name, count] : reasons) {
    if (!text.empty()) text += ", ";
    text += format_count(count).append(" ").append(name);
  }
  return text;
}

Reasons dropped_of(const RowSnapshot& row) {
  if (row.kind == RowKind::pair) return collect<Pr>(row, dropped_by_pair);
  if (row.kind == RowKind::topic) return collect<T>(row, dropped_by_topic);
  return collect<Sub>(row, dropped_by_subscription);
}

// A publisher gives up nothing else; what it had is lost with it.
Reasons voided_of(const RowSnapshot& row) {
  Reasons reasons;
  if (row.kind == RowKind::publication)
    add_reason(reasons, "expired", row.get(PublicationCounter::voided));
  if (row.kind == RowKind::pair) add_reason(reasons, "expired", row.get(Pr::void_after_join));
  if (row.kind == RowKind::topic) {
    add_reason(reasons, "expired", row.get(T::voided));
    add_reason(reasons, "publisher gone", row.get(T::abandoned));
  }
  return reasons;
}

Reasons voided_pairs_of(const RowSnapshot& topic) {
  Reasons reasons;
  add_reason(reasons, "expired", topic.get(T::void_after_join));
  return reasons;
}

Reasons unknown_of(const RowSnapshot& row) {
  if (row.kind == RowKind::pair) return collect<Pr>(row, unknown_by_pair);
  if (row.kind == RowKind::topic) return collect<T>(row, unknown_by_topic);
  return collect<Sub>(row, unknown_by_subscription);
}

}  // namespace abuzz::tools
