#include "tools/node_view.hpp"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <tuple>
#include <unordered_map>

#include "tools/counter_text.hpp"
#include "tools/row_owner.hpp"

namespace abuzz::tools {
namespace {

AgentView view_agent(const RowSnapshot& row) {
  AgentView agent;
  agent.id = row.ids[0];
  agent.pid = static_cast<std::uint32_t>(row.ids[1]);
  agent.name = row.text;
  agent.kind = row.text2;
  agent.description = row.text3;
  agent.state = static_cast<PeerState>(row.get(AgentCounter::state));
  agent.is_responsive = row.get(AgentCounter::responsive) != 0;
  agent.is_progressing = row.get(AgentCounter::progressing) != 0;
  agent.unsettled = row.get(AgentCounter::unsettled);
  agent.in = row.get(AgentCounter::messages_in);
  agent.out = row.get(AgentCounter::messages_out);
  agent.row = &row;
  return agent;
}

SubscriptionView view_subscription(const RowSnapshot& row) {
  SubscriptionView subscription;
  subscription.agent_id = row.ids[0];
  subscription.pattern = row.text;
  subscription.group = row.text2;
  if (!is_group_row(row)) subscription.agent = owner_of(row);
  subscription.members = row.get(SubscriptionCounter::members);
  subscription.leased = row.get(SubscriptionCounter::leased);
  subscription.redelivered = row.get(SubscriptionCounter::redelivered);
  subscription.lapsed = row.get(SubscriptionCounter::lapsed);
  subscription.policy = policy_name(row.get(SubscriptionCounter::policy));
  subscription.queued = row.get(SubscriptionCounter::queued_messages);
  subscription.sent = row.get(SubscriptionCounter::sent_no);
  subscription.done = row.get(SubscriptionCounter::done_no);
  subscription.publications = row.get(SubscriptionCounter::matched_publications);
  subscription.dropped = dropped_of(row);
  subscription.unknown = unknown_of(row);
  subscription.row = &row;
  return subscription;
}

void add_publication(TopicView& topic, const RowSnapshot& row) {
  topic.topic = row.text;
  if (!has_left(row)) ++topic.publishers;
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
    TopicView& view_of_topic = topics[topic->second];
    view_of_topic.queued += row.get(PairCounter::queued) + row.get(PairCounter::in_flight);
    add_reasons(view_of_topic.dropped, dropped_of(row));
    add_reasons(view_of_topic.unknown, unknown_of(row));
  }
  std::unordered_map<std::uint64_t, AgentView*> agent_of_id;
  for (AgentView& agent : view.agents) agent_of_id[agent.id] = &agent;
  for (SubscriptionView& subscription : view.subscriptions) {
    const auto agent = agent_of_id.find(subscription.agent_id);
    if (agent == agent_of_id.end()) continue;
    agent->second->queued += subscription.queued;
    ++agent->second->subscriptions;
  }
  for (const auto& [name, topic] : topics) {
    for (const RowSnapshot* row : topic.rows) {
      const auto agent = agent_of_id.find(row->ids[0]);
      if (agent != agent_of_id.end() && !has_left(*row)) ++agent->second->publications;
    }
  }
  for (auto& [name, topic] : topics) view.topics.push_back(std::move(topic));
  std::sort(view.agents.begin(), view.agents.end(),
            [](const AgentView& a, const AgentView& b) { return a.name < b.name; });
  std::sort(view.subscriptions.begin(), view.subscriptions.end(),
            [](const SubscriptionView& a, const SubscriptionView& b) {
              return std::tie(a.pattern, a.group, a.agent) < std::tie(b.pattern, b.group, b.agent);
            });
  return view;
}

std::chrono::seconds age_of_process(const StatsSnapshot& stats) {
  timespec since_boot{};
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  const auto started = static_cast<std::int64_t>(stats.start_ticks) / ::sysconf(_SC_CLK_TCK);
  return std::chrono::seconds(std::max<std::int64_t>(0, since_boot.tv_sec - started));
}

}  // namespace abuzz::tools
