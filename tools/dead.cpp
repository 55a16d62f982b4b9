#include <algorithm>
#include <array>
#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>

#include "bus/agent.hpp"
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/json_writer.hpp"
#include "tools/node_process.hpp"
#include "tools/participant.hpp"
#include "tools/settings.hpp"
#include "tools/signals.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

// Messages that no member of their group could handle: what the node keeps of them.

namespace abuzz::tools {
namespace {

using nlohmann::json;
using std::chrono::steady_clock;

// How long nothing more may come before what came is taken for all there is.
constexpr std::chrono::seconds quiet_span{2};
constexpr std::size_t payload_shown_bytes = 48;

constexpr std::string_view overview = R"(Messages that no member of their group could handle.

Usage: abuzz dead VERB [OPTIONS]

  ls           the messages that the node keeps, the newest last
  show WHICH   one of them by its ID, or all of a topic: cause, attempts and payload

`abuzz dead VERB --help` says more. A node keeps the last 1,000 of each topic, at most 8 MiB.
)";

struct Letters {
  std::vector<json> items;
  bool is_complete = true;
};

// The letters come first to who subscribes; how many there are, the node's counters say.
Result<Letters> read_letters(const SharedFlags& flags) {
  Result<LoadedConfig> loaded = load_settings(flags);
  if (!loaded.ok()) return loaded.failure();
  Config config = loaded.value().config;
  Result<StatsSnapshot> node = read_living_node(node_place(config));
  if (!node.ok()) return node.failure();
  tell_if_stopped(node.value());
  Letters letters;
  const std::uint64_t kept = node.value().rows.front().get(ProcessCounter::dead_letters);
  if (kept == 0) return letters;
  config.agent.start_node = false;
  Signals signals({SIGINT, SIGTERM, SIGHUP});
  Result<Agent> connected = connect_agent(signals, {.name = "", .kind = "dead"}, config);
  if (!connected.ok()) return connected.failure();
  SubscribeOptions options;
  options.policy = Policy::drop_new;
  options.queue_messages = 1u << 20;
  options.queue_bytes = 1u << 30;
  Result<Subscription> made = connected.value().subscribe("$dead.>", options);
  if (!made.ok()) return made.failure();
  auto last_news = steady_clock::now();
  while (letters.items.size() < kept && steady_clock::now() - last_news < quiet_span &&
         signals.take() == 0) {
    const auto take = [&](const MessageView& message) {
      json letter = json::parse(message.text(), nullptr, false);
      if (letter.is_object()) letters.items.push_back(std::move(letter));
    };
    if (made.value().poll(take, 1024, std::chrono::milliseconds(100)) > 0)
      last_news = steady_clock::now();
  }
  letters.is_complete = letters.items.size() >= kept;
  std::sort(letters.items.begin(), letters.items.end(), [](const json& a, const json& b) {
    return a.value("id", std::uint64_t{0}) < b.value("id", std::uint64_t{0});
  });
  return letters;
}

void tell_if_incomplete(const Letters& letters) {
  if (!letters.is_complete) tell("some letters did not come: the node is busy; try again");
}

std::string text_of(const json& letter, const char* key) {
  return letter.value(key, std::string());
}
std::uint64_t number_of(const json& letter, const char* key) {
  return letter.value(key, std::uint64_t{0});
}

bool is_text(const json& letter) {
  return letter.contains("payload");
}
// The bytes that were published, or the first of them.
std::string payload_of(const json& letter) {
  return is_text(letter) ? text_of(letter, "payload")
                         : from_base64(text_of(letter, "payload_base64"));
}

bool is_cut(const json& letter) {
  return letter.value("payload_cut", false);
}

std::string age_of(std::uint64_t time_ms) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto then = std::chrono::milliseconds(time_ms);
  if (then + std::chrono::seconds(1) > now) return "just now";
  return format_duration(std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::duration_cast<std::chrono::seconds>(now - then))) +
         " ago";
}

std::string list_text(const Letters& letters) {
  Table table({{"ID", true},
               {"TOPIC"},
               {"GROUP"},
               {"CAUSE"},
               {"ATTEMPTS", true},
               {"WHEN"},
               {"PUBLISHER"},
               {"BYTES", true},
               {"PAYLOAD"}});
  for (const json& letter : letters.items) {
    std::string payload = is_text(letter) ? payload_of(letter) : "(not text)";
    if (payload.size() > payload_shown_bytes)
      payload = payload.substr(0, payload_shown_bytes) + "...";
    table.add({std::to_string(number_of(letter, "id")), text_of(letter, "topic"),
               text_of(letter, "group"), text_of(letter, "cause"),
               std::to_string(number_of(letter, "attempts")), age_of(number_of(letter, "time_ms")),
               text_of(letter, "publisher"), format_count(number_of(letter, "payload_bytes")),
               payload});
  }
  return table.empty() ? "no dead letters\n" : table.print(wants_colour(1));
}

std::string letter_text(const json& letter) {
  const auto line = [](std::string_view name, const std::string& value) {
    return "  " + std::string(name) + std::string(14 - name.size(), ' ') + printable(value) + "\n";
  };
  std::string text = "dead letter " + std::to_string(number_of(letter, "id")) + " on $dead." +
                     printable(text_of(letter, "topic")) + "\n";
  text += line("topic", text_of(letter, "topic"));
  text += line("group", text_of(letter, "group") + " on " + text_of(letter, "pattern"));
  text += line("cause", text_of(letter, "cause") + " at attempt " +
                            std::to_string(number_of(letter, "attempts")) + ", " +
                            age_of(number_of(letter, "time_ms")));
  text += line("publisher", text_of(letter, "publisher") + " (agent " +
                                std::to_string(number_of(letter, "agent_id")) + "), sequence " +
                                std::to_string(number_of(letter, "sequence")));
  if (number_of(letter, "key") != 0) text += line("key", std::to_string(number_of(letter, "key")));
  for (const json& item : letter.value("history", json::array())) {
    text += line("attempt " + std::to_string(number_of(item, "attempt")),
                 text_of(item, "cause") + " by " + text_of(item, "agent") + ", " +
                     age_of(number_of(item, "time_ms")));
  }
  text += line("payload", format_bytes(number_of(letter, "payload_bytes")) +
                              (is_text(letter) ? "" : ", not text: base64") +
                              (is_cut(letter) ? ", cut here" : ""));
  return text + printable(text_of(letter, is_text(letter) ? "payload" : "payload_base64")) + "\n";
}

// The payloads as they were published, one behind the other.
std::string raw_payloads(const std::vector<const json*>& chosen) {
  std::string bytes;
  for (const json* letter : chosen) {
    if (is_cut(*letter)) {
      tell("dead letter " + std::to_string(number_of(*letter, "id")) +
           ": of its payload the node keeps only the first part");
    }
    bytes += payload_of(*letter);
  }
  return bytes;
}

std::string as_json(const Letters& letters, const std::vector<const json*>& chosen) {
  json all = {{"v", 1}, {"complete", letters.is_complete}, {"letters", json::array()}};
  for (const json* letter : chosen) all["letters"].push_back(*letter);
  return all.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

// Answers the exit code.
int print_letters(const SharedFlags& flags, const Letters& letters,
                  const std::vector<const json*>& chosen, bool is_list) {
  if (flags.json) return print_and_end(as_json(letters, chosen));
  if (is_list) return print_and_end(list_text(letters));
  std::string text;
  for (const json* letter : chosen) text += (text.empty() ? "" : "\n") + letter_text(*letter);
  return print_and_end(text);
}

int run_dead_ls(const Words& words) {
  SharedFlags flags;
  Arguments arguments("dead ls", "List the messages that no member of their group could handle.");
  add_shared_flags(arguments, flags);
  arguments.note("Exit code 4 when no node runs.");
  if (const auto code = arguments.parse(words)) return *code;
  Result<Letters> read = read_letters(flags);
  if (!read.ok()) return complain(read.failure());
  const Letters& letters = read.value();
  tell_if_incomplete(letters);
  std::vector<const json*> all;
  for (const json& letter : letters.items) all.push_back(&letter);
  return print_letters(flags, letters, all, true);
}

int run_dead_show(const Words& words) {
  SharedFlags flags;
  std::string which;
  Arguments arguments("dead show", "Show dead letters: cause, every attempt, and the payload.");
  bool is_raw = false;
  arguments.required("WHICH", which, "The ID that `abuzz dead ls` shows, or a topic");
  arguments.flag("--raw", is_raw, "Print the payload alone, byte for byte");
  add_shared_flags(arguments, flags);
  arguments.note("Exit code 4 when no node runs, 1 when it keeps no such letter.");
  if (const auto code = arguments.parse(words)) return *code;
  if (is_raw && flags.json)
    return complain(Error::bad_flag_value, "--raw and --json exclude each other: choose one");
  const std::optional<std::uint64_t> id = parse_count(which);
  const std::string topic = which.starts_with("$dead.") ? which.substr(6) : which;
  if (!id) {
    if (const auto code = refuse_topic(topic)) return *code;
  }
  Result<Letters> read = read_letters(flags);
  if (!read.ok()) return complain(read.failure());
  const Letters& letters = read.value();
  tell_if_incomplete(letters);
  std::vector<const json*> chosen;
  for (const json& letter : letters.items) {
    const bool is_meant =
        (id && number_of(letter, "id") == *id) || text_of(letter, "topic") == topic;
    if (is_meant) chosen.push_back(&letter);
  }
  if (chosen.empty()) {
    return complain(Error::unknown_name, "the node keeps no dead letter " + in_quotes(which) +
                                             "; `abuzz dead ls` lists those it keeps");
  }
  if (is_raw) return print_and_end(raw_payloads(chosen));
  return print_letters(flags, letters, chosen, false);
}

}  // namespace

int run_dead(const Words& words) {
  const VerbLine line = split_verb(words);
  if (line.verb == "ls") return run_dead_ls(line.words);
  if (line.verb == "show") return run_dead_show(line.words);
  if (line.verb.empty() || line.verb == "--help" || line.verb == "-h" || line.verb == "help")
    return print_and_end(overview);
  return complain_about_verb("abuzz dead", line.verb, {"ls", "show"});
}

}  // namespace abuzz::tools
