#include "tools/node_view.hpp"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <tuple>
#include <unordered_map>

#include "tools/command_line.hpp"

namespace abuzz::tools {
namespace {

using ReasonOfPair = std::pair<PairCounter, std::string_view>;
constexpr std::array<ReasonOfPair, 7> reasons_of_pair{{
    {PairCounter::dropped_queue_full, "queue full"},
    {PairCounter::dropped_peer_gone, "peer gone"},
    {PairCounter::dropped_shutdown, "shutdown"},
    {PairCounter::dropped_corrupt, "corrupt"},
    {PairCounter::dropped_too_large, "too large"},
    {PairCounter::unknown_peer_gone, "unknown (peer gone)"},
    {PairCounter::unknown_node_lost, "unknown (node lost)"},
}};

using ReasonOfSubscription = std::pair<SubscriptionCounter, std::string_view>;
constexpr std::array<ReasonOfSubscription, 4> reasons_of_subscription{{
    {SubscriptionCounter::dropped_queue_full, "queue full"},
    {SubscriptionCounter::dropped_peer_gone, "peer gone"},
    {SubscriptionCounter::dropped_shutdown, "shutdown"},
    {SubscriptionCounter::dropped_corrupt, "corrupt"},
}};

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

AgentView view_agent(const RowSnapshot& row) {
  AgentView agent;
  agent.id = row.ids[0];
  agent.pid = static_cast<std::uint32_t>(row.ids[1]);
  agent.name = row.text;
  agent.kind = row.text2;
  agent.state = static_cast<PeerState>(row.get(AgentCounter::state));
  agent.in = row.get(AgentCounter::messages_in);
  agent.out = row.get(AgentCounter::messages_out);
  agent.row = &row;
  return agent;
}

SubscriptionView view_subscription(const RowSnapshot& row) {
  SubscriptionView subscription;
  subscription.agent_id = row.ids[0];
  subscription.pattern = row.text;
  subscription.policy = row.get(SubscriptionCounter::policy) == 0 ? "lossless" : "drop_new";
  subscription.queued = row.get(SubscriptionCounter::queued_messages);
  subscription.sent = row.get(SubscriptionCounter::sent_no);
  subscription.done = row.get(SubscriptionCounter::done_no);
  subscription.publications = row.get(SubscriptionCounter::matched_publications);
  for (const auto& [counter, name] : reasons_of_subscription) {
    add_reason(subscription.dropped, name, row.get(counter));
  }
  subscription.row = &row;
  return subscription;
}

void add_publication(TopicView& topic, const RowSnapshot& row) {
  topic.topic = row.text;
  ++topic.publishers;
  topic.subscriptions = std::max(topic.subscriptions, row.get(PublicationCounter::match_count));
  topic.messages += row.get(PublicationCounter::accepted);
  topic.delivered += row.get(PublicationCounter::delivered);
  topic.no_subscriber += row.get(PublicationCounter::no_subscriber);
  topic.rows.push_back(&row);
}

}  // namespace

NodeView view_node(const StatsSnapshot& stats) {
  NodeView view;
  std::map<std::string_view, TopicView> topics;
  std::map<std::uint64_t, std::string_view> topic_of_row;
  for (const RowSnapshot& row : stats.rows) {
    if (row.kind == RowKind::agent) view.agents.push_back(view_agent(row));
    if (row.kind == RowKind::subscription) view.subscriptions.push_back(view_subscription(row));
    if (row.kind == RowKind::publication) {
      add_publication(topics[row.text], row);
      topic_of_row[row.index] = row.text;
    }
  }
  for (const RowSnapshot& row : stats.rows) {
    if (row.kind != RowKind::pair) continue;
    const auto topic = topic_of_row.find(row.ids[0]);
    if (topic == topic_of_row.end()) continue;
    for (const auto& [counter, name] : reasons_of_pair) {
      add_reason(topics[topic->second].dropped, name, row.get(counter));
    }
  }
  std::unordered_map<std::uint64_t, AgentView*> agent_of_id;
  for (AgentView& agent : view.agents) agent_of_id[agent.id] = &agent;
  for (SubscriptionView& subscription : view.subscriptions) {
    const auto agent = agent_of_id.find(subscription.agent_id);
    if (agent == agent_of_id.end()) continue;
    subscription.agent = agent->second->name;
    agent->second->queued += subscription.queued;
    ++agent->second->subscriptions;
  }
  for (const auto& [name, topic] : topics) {
    for (const RowSnapshot* row : topic.rows) {
      const auto agent = agent_of_id.find(row->ids[0]);
      if (agent != agent_of_id.end()) ++agent->second->publications;
    }
  }
  for (auto& [name, topic] : topics) view.topics.push_back(std::move(topic));
  std::sort(view.agents.begin(), view.agents.end(),
            [](const AgentView& a, const AgentView& b) { return a.name < b.name; });
  std::sort(view.subscriptions.begin(), view.subscriptions.end(),
            [](const SubscriptionView& a, const SubscriptionView& b) {
              return std::tie(a.pattern, a.agent) < std::tie(b.pattern, b.agent);
            });
  return view;
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

std::chrono::seconds age_of_process(const StatsSnapshot& stats) {
  timespec since_boot{};
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  const auto started = static_cast<std::int64_t>(stats.start_ticks) / ::sysconf(_SC_CLK_TCK);
  return std::chrono::seconds(std::max<std::int64_t>(0, since_boot.tv_sec - started));
}

}  // namespace abuzz::tools
