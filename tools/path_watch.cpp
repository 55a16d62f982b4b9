#include "tools/path_watch.hpp"

namespace abuzz::tools {

PathWatch::PathWatch(const Counters& earlier, const Counters& later, const LookAtProcess& look)
    : node_(later.node), earlier_(earlier), later_(later), look_(look) {
  for (const RowSnapshot& row : node_.rows) {
    if (row.kind == RowKind::agent) agents_[row.ids[0]] = &row;
  }
  for (const Counters::Agent& agent : later.agents) started_[agent.file] = agent.stats.start_ticks;
}

PathEnd PathWatch::end_of(const RowSnapshot& row) const {
  const auto agent = agents_.find(row.ids[0]);
  if (agent == agents_.end() && !row.text2.empty()) return {"group " + row.text2, 0};
  if (agent == agents_.end()) return {"agent " + std::to_string(row.ids[0]), 0};
  return {agent->second->text, agent->second->ids[1]};
}

Finding PathWatch::look_at_agent(const RowSnapshot& row, const std::string& name,
                                 Cause stopped) const {
  const auto found = agents_.find(row.ids[0]);
  if (found == agents_.end()) {
    return {Cause::session_stalled, name + " has lost its link to the node",
            "it comes back by itself within 3 s, or is gone"};
  }
  const RowSnapshot& agent = *found->second;
  const auto pid = static_cast<std::uint32_t>(agent.ids[1]);
  // Its own file says when it started, so that another process with its number is not taken for it.
  const auto started = started_.find(agent.text + "-" + std::to_string(pid));
  const ProcessLook process = look_(pid, started == started_.end() ? 0 : started->second);
  if (!process.is_alive) {
    return {Cause::subscriber_gone, name + " is gone: its process has ended", "start it again"};
  }
  if (process.is_stopped) {
    return {stopped, name + " is stopped (SIGSTOP)",
            "let it go on: kill -CONT " + std::to_string(pid)};
  }
  if (static_cast<PeerState>(agent.get(AgentCounter::state)) == PeerState::stalled) {
    return {Cause::session_stalled, name + " shows no sign of life",
            "look what process " + std::to_string(pid) + " is doing; it is dropped after a minute"};
  }
  return {};
}

bool PathWatch::is_slow(const RowSnapshot& subscription) const {
  const std::uint64_t waiting = later_.waiting_for(subscription);
  const auto before = earlier_.inboxes.find(subscription.index);
  const auto after = later_.inboxes.find(subscription.index);
  if (waiting == 0 || before == earlier_.inboxes.end() || after == later_.inboxes.end())
    return false;
  if (earlier_.waiting_for(subscription) == 0) return false;
  return after->second->done_no - before->second->done_no < waiting;
}

bool PathWatch::is_held(const RowSnapshot& publication) const {
  const auto before = earlier_.streams.find(publication.index);
  const auto after = later_.streams.find(publication.index);
  return before != earlier_.streams.end() && after != later_.streams.end() &&
         before->second->staged() > 0 && after->second->staged() > 0;
}

const RowSnapshot* PathWatch::find_holder(const RowSnapshot& publication) const {
  const RowSnapshot* holder = nullptr;
  std::uint64_t most = 0;
  for (const RowSnapshot& row : node_.rows) {
    if (row.kind != RowKind::subscription || row.get(SubscriptionCounter::policy) != 0) continue;
    if (!later_.pairs.contains({publication.index, row.index}) || !is_slow(row)) continue;
    const std::uint64_t waiting = later_.waiting_for(row);
    if (waiting <= most) continue;
    most = waiting;
    holder = &row;
  }
  return holder;
}

}  // namespace abuzz::tools
