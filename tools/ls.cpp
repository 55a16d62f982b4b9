#include <algorithm>
#include <optional>

#include "tools/collect.hpp"
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/holding.hpp"
#include "tools/json_writer.hpp"
#include "tools/ledger_text.hpp"
#include "tools/node_process.hpp"
#include "tools/node_view.hpp"
#include "tools/settings.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

namespace abuzz::tools {
namespace {

void write_agents(JsonWriter& json, const NodeView& view) {
  json.key("agents").begin_array();
  for (const AgentView& agent : view.agents) {
    json.begin_object().field("name", agent.name).field("kind", agent.kind);
    json.field("description", agent.description);
    json.field("id", agent.id).field("pid", agent.pid);
    json.field("state", peer_state_name(agent.state));
    json.field_bool("responsive", agent.is_responsive);
    json.field_bool("progressing", agent.is_progressing);
    json.field("unsettled", agent.unsettled);
    json.field("in", agent.in).field("out", agent.out).field("queued", agent.queued);
    json.field("publications", agent.publications);
    json.field("subscriptions", agent.subscriptions).end_object();
  }
  json.end_array();
}

// For whom its publishers wait, each once.
std::vector<std::string> holders_of(const TopicView& topic, const std::vector<Hold>& holds) {
  std::vector<std::string> holders;
  for (const Hold& hold : holds) {
    const bool is_new = std::find(holders.begin(), holders.end(), hold.holder) == holders.end();
    if (hold.topic == topic.topic && is_new) holders.push_back(hold.holder);
  }
  return holders;
}

void write_topics(JsonWriter& json, const NodeView& view, const std::vector<Hold>& holds) {
  json.key("topics").begin_array();
  for (const TopicView& topic : view.topics) {
    json.begin_object().field("topic", topic.topic).field("publishers", topic.publishers);
    json.field("subscriptions", topic.subscriptions).field("messages", topic.messages);
    json.field("delivered", topic.delivered).field("no_subscriber", topic.no_subscriber);
    json.field("queued", topic.queued);
    write_reasons(json, "dropped", topic.dropped);
    write_reasons(json, "unknown", topic.unknown);
    json.key("held_by").begin_array();
    for (const std::string& holder : holders_of(topic, holds)) json.text(holder);
    json.end_array().end_object();
  }
  json.end_array();
}

void write_subscriptions(JsonWriter& json, const NodeView& view) {
  json.key("subscriptions").begin_array();
  for (const SubscriptionView& subscription : view.subscriptions) {
    json.begin_object().field("pattern", subscription.pattern);
    json.field("agent", subscription.agent).field("policy", subscription.policy);
    if (!subscription.group.empty()) {
      json.field("group", subscription.group).field_bool("is_group", subscription.is_group());
      json.field("members", subscription.members).field("leased", subscription.leased);
      json.field("redelivered", subscription.redelivered).field("lapsed", subscription.lapsed);
    }
    json.field("publications", subscription.publications);
    json.field("queued", subscription.queued).field("sent", subscription.sent);
    json.field("done", subscription.done);
    write_reasons(json, "dropped", subscription.dropped);
    write_reasons(json, "unknown", subscription.unknown);
    json.end_object();
  }
  json.end_array();
}

// Its beat says that it lives, and its deliveries whether it gets on.
std::string describe_state(const AgentView& agent) {
  std::string text = peer_state_name(agent.state);
  if (agent.is_responsive && !agent.is_progressing) text += ", no progress";
  return text;
}

Table show_agents(const NodeView& view) {
  Table table({{"AGENT"},
               {"KIND"},
               {"PID", true},
               {"STATE"},
               {"IN", true},
               {"OUT", true},
               {"QUEUED", true},
               {"DESCRIPTION"}});
  for (const AgentView& agent : view.agents) {
    table.add({agent.name, agent.kind, std::to_string(agent.pid), describe_state(agent),
               format_count(agent.in), format_count(agent.out), format_count(agent.queued),
               agent.description});
  }
  return table;
}

Table show_topics(const NodeView& view, const std::vector<Hold>& holds) {
  Table table({{"TOPIC"},
               {"PUBLISHERS", true},
               {"MATCHES", true},
               {"MESSAGES", true},
               {"DELIVERED", true},
               {"NOBODY", true},
               {"QUEUED", true},
               {"DROPPED"},
               {"UNKNOWN"},
               {"HELD BY"}});
  for (const TopicView& topic : view.topics) {
    std::string held_by;
    for (const std::string& holder : holders_of(topic, holds))
      held_by += (held_by.empty() ? "" : ", ") + holder;
    table.add({topic.topic, format_count(topic.publishers), format_count(topic.subscriptions),
               format_count(topic.messages), format_count(topic.delivered),
               format_count(topic.no_subscriber), format_count(topic.queued),
               describe(topic.dropped), describe(topic.unknown), held_by});
  }
  return table;
}

Table show_subscriptions(const NodeView& view) {
  Table table({{"SUBSCRIPTION"},
               {"AGENT"},
               {"GROUP"},
               {"POLICY"},
               {"PUBLISHERS", true},
               {"SENT", true},
               {"DONE", true},
               {"QUEUED", true},
               {"DROPPED"}});
  for (const SubscriptionView& subscription : view.subscriptions) {
    const std::string who =
        subscription.is_group()
            ? "(" + format_plural(subscription.members, "member", "members") + ")"
            : subscription.agent;
    table.add({subscription.pattern, who, subscription.group, subscription.policy,
               format_count(subscription.publications), format_count(subscription.sent),
               format_count(subscription.done), format_count(subscription.queued),
               describe(subscription.dropped)});
  }
  return table;
}

}  // namespace

int run_ls(const Words& words) {
  SharedFlags flags;
  std::string what = "all";
  Arguments arguments("ls", "List the agents, topics and subscriptions of the node.");
  arguments.optional("WHAT", what, "agents, topics, subscriptions or all (the default)");
  add_shared_flags(arguments, flags);
  arguments.note("Exit code 4 when no node runs. Topics are those that have a publisher now,");
  arguments.note("or of which messages are on their way; `abuzz audit` adds those that had one.");
  arguments.note("HELD BY: whose lossless subscription publishers there wait for.");
  if (const auto code = arguments.parse(words)) return *code;
  const bool all = what == "all";
  const bool agents = all || what == "agents", topics = all || what == "topics";
  const bool subscriptions = all || what == "subscriptions";
  if (!agents && !topics && !subscriptions) {
    return complain(Error::bad_flag_value, "WHAT cannot be " + in_quotes(what) +
                                               ": it is agents, topics, subscriptions or all");
  }
  Result<LoadedConfig> loaded = load_settings(flags);
  if (!loaded.ok()) return complain(loaded.failure());
  const NodePlace place = node_place(loaded.value().config);
  Result<StatsSnapshot> stats = read_living_node(place);
  if (!stats.ok()) return complain(stats.failure());
  tell_if_stopped(stats.value());
  const NodeView view = view_node(stats.value());
  std::vector<Hold> holds;
  if (topics && may_hold(stats.value()))
    if (Result<Counters> counters = collect_counters(place); counters.ok())
      holds = find_holds(counters.value());

  std::string text;
  if (flags.json) {
    JsonWriter json(text);
    json.begin_object().field("v", 1u);
    if (agents) write_agents(json, view);
    if (topics) write_topics(json, view, holds);
    if (subscriptions) write_subscriptions(json, view);
    json.end_object();
    return print_and_end(text + "\n");
  }
  const bool colour = wants_colour(1);
  const auto append = [&](const Table& table, std::string_view none) {
    if (!text.empty()) text += "\n";
    text += table.empty() ? shaded(none, Shade::dim, colour) + "\n" : table.print(colour);
  };
  if (agents) append(show_agents(view), "no agents");
  if (topics) append(show_topics(view, holds), "no topics");
  if (subscriptions) append(show_subscriptions(view), "no subscriptions");
  return print_and_end(text);
}

}  // namespace abuzz::tools
