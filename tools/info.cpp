#include <algorithm>
#include <optional>

#include "bus/topic.hpp"
#include "tools/collect.hpp"
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/counter_text.hpp"
#include "tools/json_writer.hpp"
#include "tools/ledger_text.hpp"
#include "tools/node_view.hpp"
#include "tools/own_counters.hpp"
#include "tools/settings.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

namespace abuzz::tools {
namespace {

// One thing that has counters: a row of the node's file, under the name that people know it by.
struct Entry {
  std::string kind;  // "node", "agent", "publication", "subscription", "pair", "retained"
  std::string title;
  const RowSnapshot* row = nullptr;
};

// Everything that is meant by `name`: the node; an agent with what it publishes and subscribes; a
// topic with its publishers; a pattern; or a topic that is only subscribed to.
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

  std::string_view near(const std::string& name) const {
    std::vector<std::string_view> known{"node"};
    for (const AgentView& agent : view_.agents) known.push_back(agent.name);
    for (const TopicView& topic : view_.topics) known.push_back(topic.topic);
    for (const SubscriptionView& subscription : view_.subscriptions) {
      known.push_back(subscription.pattern);
    }
    return nearest(name, known);
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
      add("publication", topic.topic + " by " + agent_name(row->ids[0]), row);
      for (const RowSnapshot& pair : stats_.rows) {
        if (pair.kind == RowKind::pair && pair.ids[0] == row->index) add_pair(topic, pair);
      }
    }
  }

  void add_pair(const TopicView& topic, const RowSnapshot& pair) {
    for (const SubscriptionView& subscription : view_.subscriptions) {
      if (subscription.row->index != pair.ids[1]) continue;
      add("pair", topic.topic + " to " + subscription.pattern + " of " + subscription.agent, &pair);
    }
  }

  void add_subscription(const SubscriptionView& subscription) {
    add("subscription", subscription.pattern + " of " + subscription.agent, subscription.row);
  }

  std::string agent_name(std::uint64_t id) const {
    for (const AgentView& agent : view_.agents) {
      if (agent.id == id) return agent.name;
    }
    return "agent " + std::to_string(id);
  }

  const StatsSnapshot& stats_;
  const NodeView& view_;
  std::vector<Entry> entries_;
};

std::vector<KnownCounter> counters_of(const Counters& counters, const AgentFiles& files,
                                      const RowSnapshot& row) {
  std::vector<KnownCounter> known = known_counters(counters.node, row, files.own_row(row));
  if (row.kind != RowKind::agent) return known;
  // The other direction of its link; the row is the node's.
  if (const StatsSnapshot* own = files.of(row.ids[0]))
    known.push_back({"bulk_ahead_up_bytes", "most bulk ahead, to the node", "bytes",
                     own->rows.front().get(ProcessCounter::bulk_ahead_bytes)});
  return known;
}

std::string print_text(const Counters& counters, const TopicLedger* ledger,
                       const std::vector<Entry>& entries) {
  const bool colour = wants_colour(1);
  const std::chrono::nanoseconds now = monotonic_now();
  const AgentFiles files(counters);
  std::string text;
  if (ledger != nullptr) {
    text += shaded("ledger " + ledger->topic, Shade::bold, colour) + "\n";
    text += "  " + streams_text(*ledger) + "\n  " + pairs_text(*ledger) + "\n";
  }
  std::size_t label_width = 0;
  for (const CounterDescription& info : counters.node.counters) {
    label_width = std::max(label_width, info.label.size());
  }
  for (const Entry& entry : entries) {
    if (!text.empty()) text += "\n";
    text += shaded(entry.kind + " " + printable(entry.title), Shade::bold, colour) + "\n";
    for (KnownCounter& counter : counters_of(counters, files, *entry.row)) {
      counter.label.resize(label_width, ' ');
      text += "  " + counter.label + " " + counter_text(counter.unit, counter.value, now) + "\n";
    }
  }
  return text;
}

std::string print_json(const Counters& counters, const TopicLedger* ledger,
                       const std::vector<Entry>& entries) {
  const AgentFiles files(counters);
  std::string text;
  JsonWriter json(text);
  json.begin_object().field("v", 1u);
  if (ledger != nullptr) {
    json.key("ledger");
    write_topic(json, *ledger);
  }
  json.key("entries").begin_array();
  for (const Entry& entry : entries) {
    json.begin_object().field("kind", entry.kind).field("title", entry.title);
    json.key("counters").begin_object();
    for (const KnownCounter& counter : counters_of(counters, files, *entry.row)) {
      if (is_choice(counter.unit)) {
        json.field(counter.key, counter_text(counter.unit, counter.value, {}));
      } else {
        json.field(counter.key, counter.value);
      }
    }
    json.end_object().end_object();
  }
  json.end_array().end_object();
  return text + "\n";
}

}  // namespace

int run_info(const Words& words) {
  SharedFlags flags;
  std::string name;
  Arguments arguments(
      "info",
      "Every counter of an agent, a topic, a subscription or the node; of a topic its ledger.");
  arguments.required("NAME", name, "An agent, a topic, a pattern, or `node`");
  add_shared_flags(arguments, flags);
  arguments.note(
      "What only the agent itself counts comes from its own file, and is left out without it.");
  arguments.note("Exit code 4 when no node runs, 1 when nothing there has the name.");
  if (const auto code = arguments.parse(words)) return *code;
  Result<LoadedConfig> loaded = load_settings(flags);
  if (!loaded.ok()) return complain(loaded.failure());
  Result<Counters> counters = collect_counters(node_place(loaded.value().config));
  if (!counters.ok()) return complain(counters.failure());
  tell_if_stopped(counters.value().node);
  const NodeView view = view_node(counters.value().node);
  Search search(counters.value().node, view);
  const std::vector<Entry> entries = search.find(name);
  const Ledger ledger = make_ledger(counters.value());
  const auto topic = std::find_if(ledger.topics.begin(), ledger.topics.end(),
                                  [&](const TopicLedger& each) { return each.topic == name; });
  const TopicLedger* found = topic == ledger.topics.end() ? nullptr : &*topic;
  if (entries.empty() && found == nullptr) {
    const std::string_view near = search.near(name);
    return complain(Error::unknown_name,
                    "no agent, topic or pattern of the node is called " + in_quotes(name) +
                        (near.empty() ? std::string("; `abuzz ls` lists them")
                                      : "; did you mean " + printable(near) + "?"));
  }
  return print_and_end(flags.json ? print_json(counters.value(), found, entries)
                                  : print_text(counters.value(), found, entries));
}

}  // namespace abuzz::tools
