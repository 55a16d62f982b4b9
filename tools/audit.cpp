#include <algorithm>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "tools/collect.hpp"
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/json_writer.hpp"
#include "tools/ledger_text.hpp"
#include "tools/settings.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

// Whether every message of the bus is accounted for.

namespace abuzz::tools {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds pause{100};
// Queues are shown at most this many pauses late; only what lasts longer is a fault.
constexpr int looks_at_a_fault = 4;

struct Audit {
  Ledger ledger;
  bool is_quiet = false;              // two readings a pause apart were equal
  std::vector<Imbalance> imbalances;  // that count: all of a quiet bus, of a busy one the certain
};

// Reads until two readings are equal and add up, or the time is over.
Result<Audit> audit_bus(const NodePlace& place, std::chrono::nanoseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  Result<Counters> first = collect_counters(place);
  if (!first.ok()) return first.failure();
  tell_if_stopped(first.value().node);
  Ledger earlier = make_ledger(first.value());
  int faults = 0;
  for (;;) {
    std::this_thread::sleep_for(pause);
    Result<Counters> next = collect_counters(place);
    if (!next.ok()) return next.failure();
    Audit audit;
    audit.ledger = make_ledger(next.value());
    audit.is_quiet = audit.ledger == earlier;
    audit.imbalances =
        audit.is_quiet ? audit.ledger.imbalances : find_contradictions(earlier, audit.ledger);
    const bool is_good = audit.is_quiet && audit.imbalances.empty();
    faults = audit.is_quiet && !audit.imbalances.empty() ? faults + 1 : 0;
    if (is_good || faults == looks_at_a_fault || steady_clock::now() >= deadline) {
      return Result<Audit>(std::move(audit));
    }
    earlier = std::move(audit.ledger);
  }
}

TopicLedger add_up(const Ledger& ledger) {
  TopicLedger sum;
  for (const TopicLedger& topic : ledger.topics) {
    if (topic.topic == snapshots_topic) continue;  // beside the streams
    sum.published += topic.published;
    sum.staged += topic.staged;
    sum.in_flight_up += topic.in_flight_up;
    sum.routed += topic.routed;
    sum.no_subscriber += topic.no_subscriber;
    add_reasons(sum.voided, topic.voided);
    sum.matched += topic.matched;
    sum.delivered += topic.delivered;
    sum.queued += topic.queued;
    sum.in_flight += topic.in_flight;
    add_reasons(sum.dropped, topic.dropped);
    sum.before += topic.before;
    add_reasons(sum.voided_pairs, topic.voided_pairs);
    sum.unknown_before += topic.unknown_before;
    add_reasons(sum.unknown_pairs, topic.unknown_pairs);
  }
  return sum;
}

// "agents billing and shop died", "agent billing stood still"; empty for nobody.
std::string name_departed(const Ledger& ledger, bool is_stalled) {
  std::vector<std::string> names;
  for (const DepartedLedger& departed : ledger.departed) {
    const bool is_new = std::find(names.begin(), names.end(), departed.agent) == names.end();
    if (departed.unknown > 0 && departed.is_stalled == is_stalled && is_new)
      names.push_back(departed.agent);
  }
  if (names.empty()) return {};
  std::string text = names.size() == 1 ? "agent " : "agents ";
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " and " : ", ";
    text += names[i];
  }
  return text + (is_stalled ? " stood still past the stall limit" : " died");
}

std::string explain_unknown(const Ledger& ledger, const Reasons& unknown) {
  std::vector<std::string> causes;
  for (const auto& [reason, count] : unknown) {
    if (reason != "peer gone") {
      causes.push_back("a node was lost");
      continue;
    }
    for (const bool is_stalled : {false, true}) {
      std::string who = name_departed(ledger, is_stalled);
      if (!who.empty()) causes.push_back(std::move(who));
    }
  }
  if (causes.empty()) return "agents died";  // so many that they are forgotten
  std::string text;
  for (const std::string& cause : causes) text += (text.empty() ? "" : ", and ") + cause;
  return text;
}

std::string verdict(const Audit& audit, const TopicLedger& sum) {
  if (!audit.imbalances.empty()) {
    return "not balanced: " + format_plural(audit.imbalances.size(), "place", "places") +
           " where the counters contradict each other";
  }
  std::string text = "balanced";
  if (!sum.unknown().empty()) {
    text += " with unknown = " + format_count(total(sum.unknown())) + " because " +
            explain_unknown(audit.ledger, sum.unknown());
  }
  const std::uint64_t under_way = sum.held() + sum.waiting();
  if (under_way > 0) text += ", " + format_count(under_way) + " under way";
  if (!audit.is_quiet) text += "; the bus is at work, so only the possible was checked";
  return text;
}

std::string name_of(const TopicLedger& topic) {
  if (topic.topic == snapshots_topic) return "(of retained messages)";
  return topic.topic.empty() ? "(other topics)" : topic.topic;
}

// PUBLISHED is what all columns right of it add up to.
Table show_streams(const std::vector<std::pair<std::string, const TopicLedger*>>& lines) {
  Table table({{"TOPIC"},
               {"PUBLISHED", true},
               {"EARLIER", true},
               {"HELD", true},
               {"ROUTED", true},
               {"NOBODY", true},
               {"VOID"}});
  for (const auto& [name, topic] : lines) {
    if (topic->published == 0) continue;
    table.add({name, format_count(topic->published), format_count(topic->before),
               format_count(topic->held()), format_count(topic->routed),
               format_count(topic->no_subscriber), describe(topic->voided)});
  }
  return table;
}

// MATCHED is what all columns right of it add up to.
Table show_pairs(const std::vector<std::pair<std::string, const TopicLedger*>>& lines) {
  Table table({{"TOPIC"},
               {"MATCHED", true},
               {"DELIVERED", true},
               {"QUEUED", true},
               {"DROPPED"},
               {"UNKNOWN"},
               {"VOID"}});
  for (const auto& [name, topic] : lines) {
    if (topic->matched == 0) continue;
    table.add({name, format_count(topic->matched), format_count(topic->delivered),
               format_count(topic->waiting()), describe(topic->dropped),
               describe(topic->unknown_pairs), describe(topic->voided_pairs)});
  }
  return table;
}

std::string print_text(const Audit& audit) {
  const TopicLedger sum = add_up(audit.ledger);
  std::vector<std::pair<std::string, const TopicLedger*>> lines;
  for (const TopicLedger& topic : audit.ledger.topics) lines.emplace_back(name_of(topic), &topic);
  if (lines.size() > 1) lines.emplace_back("(all)", &sum);
  const bool colour = wants_colour(1);
  std::string text;
  for (const Table& table : {show_streams(lines), show_pairs(lines)})
    if (!table.empty()) text += table.print(colour) + "\n";
  text += shaded(printable(verdict(audit, sum)),
                 audit.imbalances.empty() ? Shade::good : Shade::bad, colour) +
          "\n";
  for (const Imbalance& imbalance : audit.imbalances) {
    text += "  " + printable(imbalance.where) + ": " + printable(imbalance.what) + "\n";
  }
  return text;
}

void write_pair(JsonWriter& json, const PairLedger& pair) {
  json.begin_object().field("topic", pair.topic).field("publisher", pair.publisher);
  json.field("pattern", pair.pattern).field("subscriber", pair.subscriber);
  json.field("matched", pair.matched).field("delivered", pair.delivered);
  json.field("queued", pair.queued).field("in_flight", pair.in_flight);
  json.field("void", pair.voided);
  write_reasons(json, "dropped", pair.dropped);
  write_reasons(json, "unknown", pair.unknown);
  json.end_object();
}

std::string print_json(const Audit& audit) {
  const TopicLedger sum = add_up(audit.ledger);
  std::string text;
  JsonWriter json(text);
  json.begin_object().field("v", 1u).field_bool("balanced", audit.imbalances.empty());
  json.field_bool("quiet", audit.is_quiet).field("verdict", verdict(audit, sum));
  json.field("unknown", total(sum.unknown())).field("under_way", sum.held() + sum.waiting());
  json.key("imbalances").begin_array();
  for (const Imbalance& imbalance : audit.imbalances) {
    json.begin_object().field("where", imbalance.where).field("what", imbalance.what).end_object();
  }
  json.end_array().key("topics").begin_array();
  for (const TopicLedger& topic : audit.ledger.topics) write_topic(json, topic);
  json.end_array().key("pairs").begin_array();
  for (const PairLedger& pair : audit.ledger.pairs) write_pair(json, pair);
  json.end_array().end_object();
  return text + "\n";
}

}  // namespace

int run_audit(const Words& words) {
  SharedFlags flags;
  std::chrono::nanoseconds patience = std::chrono::seconds(5);
  Arguments arguments("audit", "Whether every message of the bus is accounted for.");
  arguments.duration("--wait", patience, "How long to wait for a quiet moment (default 5s)");
  add_shared_flags(arguments, flags);
  arguments.note("Adds up what publishers, node and subscribers counted, each for themselves.");
  arguments.note("PUBLISHED, and MATCHED (once a subscription), are what stands right of them.");
  arguments.note("A bus at work is checked for what cannot be; a quiet one to the last message.");
  arguments.note("Exit code 0 when it balances, 6 when it does not, 4 when no node runs.");
  if (const auto code = arguments.parse(words)) return *code;
  Result<LoadedConfig> loaded = load_settings(flags);
  if (!loaded.ok()) return complain(loaded.failure());
  Result<Audit> audit = audit_bus(node_place(loaded.value().config), patience);
  if (!audit.ok()) return complain(audit.failure());
  const int code = audit.value().imbalances.empty()
                       ? 0
                       : complain(Error::criterion_not_met,
                                  "the ledger does not balance; please report it with the output "
                                  "of `abuzz audit --json`");
  return print_and_end(flags.json ? print_json(audit.value()) : print_text(audit.value()), code);
}

}  // namespace abuzz::tools
