#include <optional>

#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/json_writer.hpp"
#include "tools/node_process.hpp"
#include "tools/node_view.hpp"
#include "tools/settings.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

namespace abuzz::tools {
namespace {

std::string_view state_name(const StatsSnapshot& stats) {
  if (is_process_stopped(stats.pid)) return peer_state_name(PeerState::stalled);
  return peer_state_name(static_cast<PeerState>(stats.rows.front().get(ProcessCounter::state)));
}

// "shard 0 on 2, I/O 0 on 3; pinned", or why not.
std::string threads_text(const StatsSnapshot& stats) {
  std::string text, reason;
  std::uint64_t pinned = 0, refused = 0;
  for (const RowSnapshot& row : stats.rows) {
    if (row.kind != RowKind::thread) continue;
    if (!text.empty()) text += ", ";
    text += row.text + " on " + row.text2;
    pinned += row.get(ThreadCounter::pinned);
    refused += row.get(ThreadCounter::refused);
    if (reason.empty()) reason = row.text3;
  }
  if (const std::uint64_t met = stats.rows.front().get(ProcessCounter::meeting); met != 0)
    return text + "; together on " + std::to_string(met - 1) +
           " with agents that wait for each other";
  if (refused > 0) return text + "; " + format_plural(refused, "pin", "pins") + " refused";
  return text + (pinned > 0 ? "; pinned" : "; not pinned: " + reason);
}

void write_threads(JsonWriter& json, const StatsSnapshot& stats) {
  json.key("threads").begin_array();
  for (const RowSnapshot& row : stats.rows) {
    if (row.kind != RowKind::thread) continue;
    json.begin_object().field("name", row.text).field("processors", row.text2);
    json.field_bool("pinned", row.get(ThreadCounter::pinned) != 0);
    json.field("refused", row.get(ThreadCounter::refused)).field("reason", row.text3).end_object();
  }
  json.end_array();
}

std::string_view waiting_name(const RowSnapshot& process) {
  constexpr std::string_view names[] = {"eco", "balanced", "low_latency"};
  const std::uint64_t number = process.get(ProcessCounter::waiting);
  return number < std::size(names) ? names[number] : "of a newer version";
}

std::string print_json(const StatsSnapshot& stats, const NodePlace& place) {
  const RowSnapshot& process = stats.rows.front();
  std::string text;
  JsonWriter json(text);
  json.begin_object().field("v", 1u).field("state", state_name(stats));
  json.field("pid", stats.pid).field("epoch", stats.identity.node_epoch);
  json.field("node_id", stats.identity.node_id).field("runtime_directory", place.directory);
  json.field("up_s", static_cast<std::uint64_t>(age_of_process(stats).count()));
  json.field("agents", process.get(ProcessCounter::agents_now));
  json.field("subscriptions", process.get(ProcessCounter::subscriptions_now));
  json.field("publications", process.get(ProcessCounter::publications_now));
  if (process.get(ProcessCounter::meeting) != 0)
    json.field("meeting", process.get(ProcessCounter::meeting) - 1);
  json.field("waiting", waiting_name(process));
  json.field("waiting_ns", process.get(ProcessCounter::waiting_ns));
  json.field("messages_in", process.get(ProcessCounter::messages_in));
  json.field("messages_out", process.get(ProcessCounter::messages_out));
  json.field("queued_messages", process.get(ProcessCounter::queued_messages));
  json.field("queued_bytes", process.get(ProcessCounter::queued_bytes));
  json.field("pool_bytes", process.get(ProcessCounter::pool_bytes_held));
  json.field("strangers", process.get(ProcessCounter::strangers));
  json.field("strikes", process.get(ProcessCounter::strikes));
  write_threads(json, stats);
  json.end_object();
  return text + "\n";
}

std::string print_text(const StatsSnapshot& stats, const NodePlace& place) {
  const RowSnapshot& process = stats.rows.front();
  const auto count = [&](ProcessCounter id) { return format_count(process.get(id)); };
  std::string text = "node      " + std::string(state_name(stats)) + ", pid " +
                     std::to_string(stats.pid) + ", up " + format_duration(age_of_process(stats)) +
                     ", epoch " + std::to_string(stats.identity.node_epoch) + "\n";
  text += "directory " + place.directory + "\n";
  text += "agents    " + count(ProcessCounter::agents_now) + " with " +
          count(ProcessCounter::subscriptions_now) + " subscriptions and " +
          count(ProcessCounter::publications_now) + " publishers\n";
  text += "messages  " + count(ProcessCounter::messages_in) + " in, " +
          count(ProcessCounter::messages_out) + " out, " + count(ProcessCounter::queued_messages) +
          " queued (" + format_bytes(process.get(ProcessCounter::queued_bytes)) + ")\n";
  text +=
      "memory    " + format_bytes(process.get(ProcessCounter::pool_bytes_held)) + " in buffers\n";
  text += "refused   " + count(ProcessCounter::strangers) + " strangers, " +
          count(ProcessCounter::strikes) + " bad frames, " +
          count(ProcessCounter::door_turned_away) + " turned away at the door\n";
  text += "threads   " + threads_text(stats) + "\n";
  text += "waiting   " + std::string(waiting_name(process)) + "; awake for " +
          format_duration(std::chrono::nanoseconds(process.get(ProcessCounter::waiting_ns))) +
          " to spare a wake-up\n";
  return text;
}

}  // namespace

int run_node_status(const Words& words) {
  SharedFlags flags;
  Arguments arguments("node status", "What the node is doing.");
  add_shared_flags(arguments, flags);
  arguments.note("Exit code 4 when no node runs, or a signal has stopped it. `abuzz info node`");
  arguments.note("shows every counter.");
  if (const auto code = arguments.parse(words)) return *code;
  Result<LoadedConfig> loaded = load_settings(flags);
  if (!loaded.ok()) return complain(loaded.failure());
  const NodePlace place = node_place(loaded.value().config);
  Result<StatsSnapshot> stats = read_living_node(place);
  if (!stats.ok()) return complain(stats.failure());
  tell_if_stopped(stats.value());
  const int code = is_process_stopped(stats.value().pid) ? error_info(Error::no_node).exit_code : 0;
  return print_and_end(
      flags.json ? print_json(stats.value(), place) : print_text(stats.value(), place), code);
}

}  // namespace abuzz::tools
