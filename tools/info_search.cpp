#include "tools/info_search.hpp"

#include <utility>

#include "bus/topic.hpp"
#include "tools/command_line.hpp"
#include "tools/row_owner.hpp"

namespace abuzz::tools {
namespace {

class Search {
 public:
  Search(const StatsSnapshot& stats, const NodeView& view) : stats_(stats), view_(view) {}

  std::vector<Entry> find(const std::string& name) {
    if (name == "node") add_node();
    add_retained(name == "node" ? "" : name);
    for (const AgentView& agent : view_.agents) {
      if (agent.name == name) add_agent(agent);
    }
    for (const TopicView& topic : view_.topics) {
      if (topic.topic == name) add_topic(topic);
    }
    const bool is_topic = check_topic(name) == TopicFault::none;
    for (const SubscriptionView& subscription : view_.subscriptions) {
      const bool receives = is_topic && matches(subscription.pattern, name);
      if (subscription.pattern == name || receives) add_subscription(subscription);
    }
    return std::move(entries_);
  }

 private:
  void add_node() {
    add("node", "node", &stats_.rows.front());
    for (const RowSnapshot& row : stats_.rows) {
      if (row.kind == RowKind::thread) {
        add("thread", row.text + " on " + row.text2 + ": " + row.text3, &row);
      } else if (row.kind == RowKind::move) {
        add("move",
            row.text + " from shard " + std::to_string(row.get(MoveCounter::from)) + " to shard " +
                std::to_string(row.get(MoveCounter::to)) + ": " + row.text2,
            &row);
      }
    }
  }

  void add(std::string kind, std::string title, const RowSnapshot* row) {
    for (const Entry& entry : entries_) {
      if (entry.row == row) return;
    }
    entries_.push_back({std::move(kind), std::move(title), row});
  }

  void add_retained(const std::string& topic) {
    for (const RowSnapshot& row : stats_.rows) {
      if (row.kind != RowKind::retained || row.text != topic) continue;
      std::string title = topic.empty() ? "on all topics" : "on " + topic;
      title +=
          stats_.identity.node_epoch > 1
              ? ", by this node: what publishers that were gone had retained went with the last"
              : ", by this node: it ends with it, but publishers that are here bring theirs back";
      add("retained", std::move(title), &row);
    }
  }

  void add_agent(const AgentView& agent) {
    add("agent",
        agent.name + " (" + agent.kind + "), pid " + std::to_string(agent.pid) + ", " +
            peer_state_name(agent.state) +
            (agent.description.empty() ? "" : ": " + agent.description),
        agent.row);
    for (const TopicView& topic : view_.topics) {
      for (const RowSnapshot* row : topic.rows) {
        if (row->ids[0] == agent.id) add("publication", topic.topic + " by " + agent.name, row);
      }
    }
    for (const SubscriptionView& subscription : view_.subscriptions) {
      if (subscription.agent_id == agent.id) add_subscription(subscription);
    }
  }

  void add_topic(const TopicView& topic) {
    for (const RowSnapshot* row : topic.rows) {
      add("publication",
          topic.topic + " by " + owner_of(*row) + (has_left(*row) ? ", which has left" : ""), row);
      for (const RowSnapshot& pair : stats_.rows) {
        if (pair.kind == RowKind::pair && pair.ids[0] == row->index) add_pair(*row, pair);
      }
    }
  }

  void add_pair(const RowSnapshot& publication, const RowSnapshot& pair) {
    for (const SubscriptionView& subscription : view_.subscriptions) {
      if (subscription.row->index != pair.ids[1]) continue;
      add("pair",
          publication.text + " of " + owner_of(publication) + " to " + title_of(subscription),
          &pair);
    }
  }

  void add_subscription(const SubscriptionView& subscription) {
    std::string title = title_of(subscription);
    if (subscription.is_group())
      title += ", " + format_plural(subscription.members, "member", "members");
    add("subscription", std::move(title), subscription.row);
  }

  static std::string title_of(const SubscriptionView& subscription) {
    return subscription.pattern + " of " + owner_of(*subscription.row);
  }

  const StatsSnapshot& stats_;
  const NodeView& view_;
  std::vector<Entry> entries_;
};

}  // namespace

std::vector<Entry> find_entries(const StatsSnapshot& stats, const NodeView& view,
                                const std::string& name) {
  return Search(stats, view).find(name);
}

std::string_view nearest_entry(const NodeView& view, const std::string& name) {
  std::vector<std::string_view> known{"node"};
  for (const AgentView& agent : view.agents) known.push_back(agent.name);
  for (const TopicView& topic : view.topics) known.push_back(topic.topic);
  for (const SubscriptionView& subscription : view.subscriptions) {
    known.push_back(subscription.pattern);
  }
  return nearest(name, known);
}

}  // namespace abuzz::tools
