#include <algorithm>
#include <optional>

#include "tools/collect.hpp"
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/counter_text.hpp"
#include "tools/holding.hpp"
#include "tools/info_search.hpp"
#include "tools/json_writer.hpp"
#include "tools/ledger_text.hpp"
#include "tools/node_view.hpp"
#include "tools/own_counters.hpp"
#include "tools/settings.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

namespace abuzz::tools {
namespace {

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

// What is said about a name.
struct Facts {
  const Counters& counters;
  const TopicLedger* ledger;  // of a topic
  std::vector<Hold> holds;    // in which it takes part
  std::vector<Entry> entries;
};

// A name for a number says something whatever it is; so does yes or no. Who holds is told in words.
bool is_telling(const KnownCounter& counter) {
  if (counter.key == "holder") return false;
  return counter.value != 0 || is_choice(counter.unit) || counter.unit == "yes or no";
}

std::string print_text(const Facts& facts, bool is_all) {
  const auto& [counters, ledger, holds, entries] = facts;
  const bool colour = wants_colour(1);
  const std::chrono::nanoseconds now = monotonic_now();
  const AgentFiles files(counters);
  std::string text;
  if (ledger != nullptr) {
    text += shaded("ledger " + ledger->topic, Shade::bold, colour) + "\n";
    text += "  " + streams_text(*ledger) + "\n  " + pairs_text(*ledger) + "\n";
  }
  for (const Hold& hold : holds) text += printable(describe(hold)) + "\n";
  std::size_t label_width = 0;
  for (const CounterDescription& info : counters.node.counters) {
    label_width = std::max(label_width, info.label.size());
  }
  for (const Entry& entry : entries) {
    if (!text.empty()) text += "\n";
    text += shaded(entry.kind + " " + printable(entry.title), Shade::bold, colour) + "\n";
    for (KnownCounter& counter : counters_of(counters, files, *entry.row)) {
      if (!is_all && !is_telling(counter)) continue;
      counter.label.resize(label_width, ' ');
      text += "  " + counter.label + " " + counter_text(counter.unit, counter.value, now) + "\n";
    }
  }
  return text;
}

std::string print_json(const Facts& facts) {
  const auto& [counters, ledger, holds, entries] = facts;
  const AgentFiles files(counters);
  std::string text;
  JsonWriter json(text);
  json.begin_object().field("v", 1u);
  if (ledger != nullptr) {
    json.key("ledger");
    write_topic(json, *ledger);
  }
  json.key("held").begin_array();
  for (const Hold& hold : holds) write_hold(json, hold);
  json.end_array().key("entries").begin_array();
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
  bool is_all = false;
  Arguments arguments(
      "info",
      "The counters of an agent, a topic, a subscription or the node; of a topic its ledger.");
  arguments.required("NAME", name, "An agent, a topic, a pattern, or `node`");
  arguments.flag("--all", is_all, "Also those that are 0; --json has them always");
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
  const Ledger ledger = make_ledger(counters.value());
  const auto topic = std::find_if(ledger.topics.begin(), ledger.topics.end(),
                                  [&](const TopicLedger& each) { return each.topic == name; });
  Facts facts{counters.value(), topic == ledger.topics.end() ? nullptr : &*topic,
              find_holds(counters.value()), find_entries(counters.value().node, view, name)};
  std::erase_if(facts.holds, [&](const Hold& hold) {
    return hold.topic != name && hold.publisher != name && hold.holder != name &&
           hold.pattern != name;
  });
  if (facts.entries.empty() && facts.ledger == nullptr) {
    const std::string_view near = nearest_entry(view, name);
    return complain(Error::unknown_name,
                    "no agent, topic or pattern of the node is called " + in_quotes(name) +
                        (near.empty() ? std::string("; `abuzz ls` lists them")
                                      : "; did you mean " + printable(near) + "?"));
  }
  return print_and_end(flags.json ? print_json(facts) : print_text(facts, is_all));
}

}  // namespace abuzz::tools
