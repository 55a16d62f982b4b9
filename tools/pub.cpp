#include <algorithm>
#include <csignal>
#include <optional>

#include "bus/agent.hpp"
#include "tools/collect.hpp"
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/delivery_flags.hpp"
#include "tools/holding.hpp"
#include "tools/json_writer.hpp"
#include "tools/participant.hpp"
#include "tools/path_look.hpp"
#include "tools/publishing.hpp"
#include "tools/reasons.hpp"
#include "tools/settings.hpp"
#include "tools/signals.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

namespace abuzz::tools {
namespace {

struct PubFlags {
  SharedFlags shared;
  std::string topic, text, name;
  std::uint64_t count = 1;
  PublisherOptions options;
  std::uint64_t retain = 0;
  Pace pace;
};

// What keeps messages from being settled.
struct Standstill {
  std::string held_by;  // "billing", "group workers"; empty: by nobody
  std::string text;     // the first broken link; empty where none is seen
};

Standstill look_at_standstill(const NodePlace& place, const Agent& agent,
                              const Publisher& publisher) {
  Standstill found;
  if (Result<Counters> counters = collect_counters(place); counters.ok()) {
    for (const Hold& hold : find_holds(counters.value()))
      if (hold.publisher == agent.name() && hold.topic == publisher.topic())
        found.held_by = hold.holder;
  }
  Result<Answer> answer = look_at_path(place, {publisher.topic(), agent.name(), ""});
  if (!answer.ok() || !answer.value().is_broken()) return found;
  const std::vector<Path>& paths = answer.value().paths;
  const auto waits = [](const Path& path) { return path.cause != Cause::none && path.waiting > 0; };
  const auto first = std::find_if(paths.begin(), paths.end(), waits);
  found.text = (first == paths.end() ? paths.front() : *first).text;
  return found;
}

std::optional<int> parse_flags(const Words& words, PubFlags& flags) {
  Arguments arguments("pub", "Publish messages on a topic, and say what became of them.");
  std::uint64_t count = 0;
  MessageOptions& each = flags.pace.each;
  arguments.required("TOPIC", flags.topic, "Where to: tokens joined by dots, e.g. docs.new");
  arguments.required("TEXT", flags.text, "The payload; '-' publishes each line of stdin");
  arguments.count("-n,--count", count, "Publish TEXT this many times", 1, 1'000'000'000'000);
  arguments.value(
      "--rate",
      [&flags](const std::string& text) -> std::string {
        const std::optional<double> rate = parse_rate(text);
        if (!rate) return "a rate is a number of messages a second, such as 100, 0.5 or 10k";
        flags.pace.rate = *rate;
        return {};
      },
      "Messages a second; default: as fast as it goes", "R");
  arguments.value(
      "--lane", [&flags](const std::string& text) { return read_lane(text, flags.options.lane); },
      "Priority: high, normal or bulk", "LANE");
  arguments.count("--retain", flags.retain,
                  "Keep the last N messages of each key for who comes later", 1, 65'536);
  arguments.value(
      "--ttl",
      [&each](const std::string& text) { return read_time_to_live(text, each.time_to_live); },
      "Drop a message, as expired, that no handler got within this time", "DURATION");
  arguments.value(
      "--key", [&each](const std::string& text) { return read_key(text, each.key); },
      "Key of the messages: a number from 1, or a text, which is hashed", "KEY");
  arguments.duration(
      "--timeout", flags.pace.timeout,
      "Give up (exit 5) after this long without progress; 0s: as soon as it would wait");
  arguments.text("--name", flags.name, "Name of this agent; default: made up", "NAME");
  add_shared_flags(arguments, flags.shared);
  arguments.note(
      "It ends when every message was delivered to at least one subscription or is settled");
  arguments.note("everywhere. Exit codes: 0 all delivered, 9 some were not, 5 no progress.");
  arguments.note(
      "What --retain keeps stays until the node ends, also when nobody was there: exit 9.");
  arguments.note("A text that begins with '-' goes after '--'. Examples:");
  arguments.note("  abuzz pub demo.hello '{\"text\":\"hi\"}'");
  arguments.note("  tail -F app.log | abuzz pub logs.app -");
  if (const auto code = arguments.parse(words)) return code;
  if (count != 0 && flags.text == "-") {
    return complain(Error::bad_flag_value, "--count repeats TEXT and cannot go with '-' (stdin)");
  }
  if (count != 0) flags.count = count;
  flags.options.retain_messages = static_cast<std::uint32_t>(flags.retain);
  return std::nullopt;
}

// "2 (queue full)", or "5 (queue full 3, expired 2)".
std::string describe_drops(const FlushReport& report) {
  std::string text = format_count(report.dropped);
  Reasons reasons;
  for (std::size_t index = 0; index < drop_reason_count; ++index)
    add_reason(reasons, drop_reason_name(static_cast<DropReason>(index)), report.dropped_by[index]);
  if (reasons.empty()) return text;
  text += " (";
  for (const auto& [name, count] : reasons) {
    if (name != reasons.front().first) text += ", ";
    text += name;
    if (reasons.size() > 1) text += " " + format_count(count);
  }
  return text + ")";
}

// How it ended.
struct Ending {
  std::uint64_t unsent = 0;
  std::string link;
  Standstill standstill;
};

void print_summary(Output& output, const PubFlags& flags, const Publishing& work,
                   const Ending& ending) {
  const FlushReport& report = work.report();
  const std::uint64_t published = work.published();
  if (flags.shared.json) {
    JsonWriter json(output.pending());
    json.begin_object().field("v", 1u).field("topic", flags.topic);
    json.field("published", published).field("delivered", report.delivered);
    json.field("no_subscriber", report.no_subscriber).field("dropped", report.dropped);
    json.key("dropped_by").begin_object();
    for (std::size_t index = 0; index < drop_reason_count; ++index)
      if (report.dropped_by[index] != 0)
        json.field(drop_reason_key(static_cast<DropReason>(index)), report.dropped_by[index]);
    json.end_object();
    json.field("unknown", report.unknown).field("pending", report.pending);
    json.field("unsent", ending.unsent).field("link", ending.link);
    json.field("held_by", ending.standstill.held_by).end_object();
    output.append("\n");
    return;
  }
  // One message for nobody is told by the complaint alone.
  if (published == 1 && report.no_subscriber == 1) return;
  output.append("delivered " + format_count(report.delivered) + " of " + format_count(published) +
                " · dropped " + describe_drops(report));
  if (report.no_subscriber != 0) {
    output.append(" · no subscriber " + format_count(report.no_subscriber));
  }
  if (report.unknown != 0) output.append(" · unknown " + format_count(report.unknown));
  if (report.pending != 0) output.append(" · not settled " + format_count(report.pending));
  output.append(" · " + ending.link + "\n");
}

// The complaint, if one is due, and the exit code.
int judge(const PubFlags& flags, const Publishing& work, const Ending& ending) {
  const FlushReport& report = work.report();
  std::string so_far = format_count(work.published());
  if (flags.text != "-") so_far += " of " + format_count(flags.count);
  so_far += " published, " + format_count(work.published() - report.pending) + " settled";
  switch (work.stop()) {
    case Publishing::Stop::signal:
      tell("stopped by a signal: " + so_far + ", " + format_count(report.pending) +
           " not settled, of which " + format_count(ending.unsent) + " were not sent");
      return exit_code_of_signal(work.signal());
    case Publishing::Stop::no_progress: {
      std::string line = "no progress on " + flags.topic + " for " +
                         format_duration(flags.pace.timeout) + " (" + so_far + ")";
      if (!ending.standstill.text.empty()) line += ": " + ending.standstill.text;
      return complain(Error::timed_out, line + "; `abuzz why " + flags.topic +
                                            "` looks again, --timeout allows more");
    }
    case Publishing::Stop::closed:
    case Publishing::Stop::input:
      return complain(work.failure());
    case Publishing::Stop::none:
      break;
  }
  if (report.delivered == work.published()) return 0;
  if (report.no_subscriber == work.published()) {
    const bool is_kept = flags.retain != 0;
    return complain(Error::no_subscriber,
                    "nobody subscribes to " + flags.topic + ": delivered to no one" +
                        (is_kept ? "; kept for who comes later"
                                 : " (--retain 1 keeps it for who comes later)"));
  }
  if (report.no_subscriber != 0) {
    return complain(Error::no_subscriber,
                    format_plural(report.no_subscriber, "message", "messages") + " on " +
                        flags.topic + " found no subscription; `abuzz ls` shows who listens");
  }
  std::string line;
  if (report.dropped != 0) {
    line = format_plural(report.dropped, "message", "messages") + " on " + flags.topic +
           " dropped by every subscription that matched; ";
  }
  if (report.unknown != 0) {
    line += format_count(report.unknown) + " unknown, because who would know was lost; ";
  }
  return complain(Error::undelivered, line + "`abuzz info " + flags.topic + "` shows the causes");
}

}  // namespace

int run_pub(const Words& words) {
  PubFlags flags;
  if (const auto code = parse_flags(words, flags)) return *code;
  if (const auto code = refuse_topic(flags.topic)) return *code;
  if (const auto code = refuse_name(flags.name)) return *code;
  Result<LoadedConfig> loaded = load_settings(flags.shared);
  if (!loaded.ok()) return complain(loaded.failure());
  const Config& config = loaded.value().config;

  Signals signals({SIGINT, SIGTERM, SIGHUP});
  const AgentOptions options{.name = flags.name, .kind = "pub"};
  Result<Agent> connected = connect_agent(signals, options, config, flags.pace.timeout);
  if (!connected.ok()) return complain(connected.failure());
  Agent agent = std::move(connected).value();
  Result<Publisher> made = agent.publisher(flags.topic, flags.options);
  if (!made.ok()) return complain(made.failure());
  Publisher publisher = std::move(made).value();

  Publishing work(flags.pace, config, signals, publisher);
  if (flags.text == "-") {
    work.publish_lines();
  } else {
    work.publish_text(flags.text, flags.count);
  }
  work.settle();
  Ending ending;
  if (work.stop() == Publishing::Stop::no_progress)
    ending.standstill = look_at_standstill(node_place(config), agent, publisher);
  ending.link = agent.link();
  ending.unsent = agent.close(std::chrono::seconds(1)).unsent;

  Output output;
  print_summary(output, flags, work, ending);
  const int code = judge(flags, work, ending);
  return output.finish(code);
}

}  // namespace abuzz::tools
