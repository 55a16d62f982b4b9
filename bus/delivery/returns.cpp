#include "bus/delivery/returns.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "bus/options.hpp"
#include "bus/topic.hpp"

namespace abuzz::delivery {

namespace {

bool is_same(const Owed& left, const Owed& right) noexcept {
  if (left.pattern != right.pattern || left.group != right.group) return false;
  return !left.group.empty() || (left.agent_id == right.agent_id && left.handle == right.handle);
}

}  // namespace

std::vector<Owed> read_owed(const StatsSnapshot& earlier) {
  std::unordered_map<std::uint64_t, const RowSnapshot*> agents;
  for (const RowSnapshot& row : earlier.rows)
    if (row.kind == RowKind::agent) agents[row.ids[0]] = &row;
  std::vector<Owed> all;
  const auto add = [&](Owed&& owed) {
    const bool is_known = std::any_of(all.begin(), all.end(),
                                      [&](const Owed& other) { return is_same(owed, other); });
    if (!is_known) all.push_back(std::move(owed));
  };
  for (const RowSnapshot& row : earlier.rows) {
    Owed owed{row.ids[0], static_cast<std::uint32_t>(row.ids[1]), 0, 0, row.text, row.text2};
    if (row.kind == RowKind::owed) {
      owed.pid = static_cast<std::uint32_t>(row.ids[2]);
      owed.start_ticks = row.ids[3];
      add(std::move(owed));
    }
    // A group's own row has no agent; its members' rows stand for it.
    const bool is_of_agent = static_cast<std::uint32_t>(row.ids[0]) != 0;
    if (row.kind != RowKind::subscription || !is_of_agent ||
        row.get(SubscriptionCounter::policy) != static_cast<std::uint64_t>(Policy::lossless))
      continue;
    if (const auto agent = agents.find(owed.agent_id); agent != agents.end()) {
      owed.pid = static_cast<std::uint32_t>(agent->second->ids[1]);
      owed.start_ticks = agent->second->ids[2];
    }
    if (!owed.group.empty()) owed.handle = 0;
    add(std::move(owed));
  }
  return all;
}

void Returns::expect(std::vector<Owed>&& owed) {
  for (Owed& item : owed) {
    const std::uint64_t ids[] = {item.agent_id, item.handle, item.pid, item.start_ticks};
    StatsRow* row = stats_.add_row(RowKind::owed, ids, item.pattern, item.group);
    waiting_.push_back({std::move(item), row});
  }
}

template <class Predicate>
bool Returns::drop_if(Predicate&& predicate) {
  const auto is_over = [&](const Waiting& waiting) {
    if (!predicate(waiting.owed)) return false;
    stats_.remove_row(waiting.row);
    return true;
  };
  return std::erase_if(waiting_, is_over) > 0;
}

bool Returns::note_subscribed(std::uint64_t agent_id, std::uint32_t handle,
                              std::string_view pattern, std::string_view group) {
  return drop_if([&](const Owed& owed) {
    if (owed.group != group) return false;
    if (!group.empty()) return owed.pattern == pattern;
    return owed.agent_id == agent_id && owed.handle == handle;
  });
}

// Another member may come back for a group.
bool Returns::note_gone(std::uint64_t agent_id) {
  return drop_if([&](const Owed& owed) { return owed.group.empty() && owed.agent_id == agent_id; });
}

bool Returns::expire(base::Nanos now) {
  if (waiting_.empty()) return false;
  // From the start of the node: agents look for it every few milliseconds.
  if (until_ == 0) until_ = now + return_patience;
  return now >= until_ && drop_if([](const Owed&) { return true; });
}

bool Returns::is_owed(std::string_view topic) const noexcept {
  return std::any_of(waiting_.begin(), waiting_.end(),
                     [&](const Waiting& waiting) { return matches(waiting.owed.pattern, topic); });
}

}  // namespace abuzz::delivery
