#include "tools/path_watch.hpp"

#include "tools/row_owner.hpp"

namespace abuzz::tools {
namespace {

// A row that was given to somebody else meanwhile has less: all of it is new.
Reasons less(const Reasons& later, const Reasons& earlier) {
  const bool is_same = total(later) >= total(earlier);
  Reasons difference;
  for (const auto& [reason, count] : later) {
    std::uint64_t before = 0;
    for (const auto& [other, of_other] : earlier)
      if (is_same && other == reason) before = of_other;
    add_reason(difference, reason, count > before ? count - before : 0);
  }
  return difference;
}

template <class Value>
const Value* look_up(const std::map<std::uint64_t, const Value*>& rows, std::uint64_t index) {
  const auto found = rows.find(index);
  return found == rows.end() ? nullptr : found->second;
}

}  // namespace

PathWatch::PathWatch(const Counters& earlier, const Counters& later, const LookAtProcess& look)
    : node_(later.node), earlier_(earlier), later_(later), now_(later.read_at), look_(look) {
  for (const RowSnapshot& row : node_.rows) {
    if (row.kind == RowKind::agent) agents_[row.ids[0]] = &row;
  }
  for (const Counters::Agent& agent : later.agents) started_[agent.file] = agent.stats.start_ticks;
}

PathEnd PathWatch::end_of(const RowSnapshot& row) const {
  const RowSnapshot* agent = look_up(agents_, row.ids[0]);
  return {owner_of(row), agent == nullptr ? 0 : agent->ids[1]};
}

Finding PathWatch::look_at_agent(const RowSnapshot& row, const std::string& name,
                                 Cause stopped) const {
  const RowSnapshot* agent = look_up(agents_, row.ids[0]);
  if (agent == nullptr) {
    return {Cause::session_stalled, name + " has lost its link to the node",
            "it comes back by itself within 3 s, or is gone"};
  }
  const auto pid = static_cast<std::uint32_t>(agent->ids[1]);
  // Its own file says when it started, so that another process with its number is not taken for it.
  const auto started = started_.find(agent->text + "-" + std::to_string(pid));
  const ProcessLook process = look_(pid, started == started_.end() ? 0 : started->second);
  if (!process.is_alive) {
    return {Cause::subscriber_gone, name + " is gone: its process has ended", "start it again"};
  }
  if (process.is_stopped) {
    return {stopped, name + " is stopped (SIGSTOP)",
            "let it go on: kill -CONT " + std::to_string(pid)};
  }
  if (static_cast<PeerState>(agent->get(AgentCounter::state)) == PeerState::stalled) {
    return {Cause::session_stalled, name + " shows no sign of life",
            "look what process " + std::to_string(pid) + " is doing; it is dropped after a minute"};
  }
  return {};
}

Flow PathWatch::flow_of(const Source& source, const RowSnapshot& subscription) const {
  Flow flow;
  if (source.empty()) {
    flow.lost = dropped_of(subscription);
    const RowSnapshot* before = look_up(earlier_.rows, subscription.index);
    flow.lost_now = before == nullptr ? flow.lost : less(flow.lost, dropped_of(*before));
  }
  for (const RowSnapshot* publication : source) {
    add_pair({publication->index, subscription.index}, flow);
    add_stream_losses(*publication, flow);
  }
  return flow;
}

void PathWatch::add_pair(PairKey key, Flow& flow) const {
  const auto found = later_.pairs.find(key);
  if (found == later_.pairs.end()) return;
  const PairLedger& pair = *found->second;
  flow.matched += pair.matched;
  flow.delivered += pair.delivered;
  flow.queued += pair.queued;
  flow.in_flight += pair.in_flight;
  add_reasons(flow.lost, pair.dropped);
  const auto before = earlier_.pairs.find(key);
  add_reasons(flow.lost_now, before == earlier_.pairs.end()
                                 ? pair.dropped
                                 : less(pair.dropped, before->second->dropped));
}

// What expired with the publisher, before it was sent.
void PathWatch::add_stream_losses(const RowSnapshot& publication, Flow& flow) const {
  const StreamLedger* stream = look_up(later_.streams, publication.index);
  if (stream == nullptr) return;
  const Reasons lost = voided_of(publication);
  const RowSnapshot* before = look_up(earlier_.rows, publication.index);
  add_reasons(flow.lost, lost);
  add_reasons(flow.lost_now, before == nullptr ? lost : less(lost, voided_of(*before)));
}

bool PathWatch::is_slow(const RowSnapshot& subscription) const {
  const std::uint64_t waiting = later_.waiting_for(subscription);
  const InboxLedger* before = look_up(earlier_.inboxes, subscription.index);
  const InboxLedger* after = look_up(later_.inboxes, subscription.index);
  if (waiting == 0 || before == nullptr || after == nullptr) return false;
  if (earlier_.waiting_for(subscription) == 0) return false;
  return after->done_no - before->done_no < waiting;
}

// Messages wait with the publisher in both readings, and more than were taken between them.
bool PathWatch::is_held(const RowSnapshot& publication) const {
  const StreamLedger* before = look_up(earlier_.streams, publication.index);
  const StreamLedger* after = look_up(later_.streams, publication.index);
  return before != nullptr && after != nullptr && before->staged() > 0 &&
         after->accepted - before->accepted < after->staged();
}

const RowSnapshot* PathWatch::holder_of(const RowSnapshot& publication) const {
  const std::uint64_t index = publication.get(PublicationCounter::holder);
  if (index == 0 || !is_held(publication)) return nullptr;
  const RowSnapshot* holder = look_up(later_.rows, index);
  // Its row may have been given to another one since the node told.
  const bool is_pair = later_.pairs.contains({publication.index, index});
  return holder != nullptr && holder->kind == RowKind::subscription && is_pair ? holder : nullptr;
}

}  // namespace abuzz::tools
