#include <unistd.h>

#include <csignal>
#include <cstring>
#include <optional>
#include <thread>

#include "bus/node.hpp"
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/json_writer.hpp"
#include "tools/node_log.hpp"
#include "tools/node_process.hpp"
#include "tools/settings.hpp"
#include "tools/signals.hpp"
#include "tools/supervisor.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

namespace abuzz::tools {
namespace {

// How long agents have to take what is queued for them when the node is told to end.
constexpr std::chrono::milliseconds goodbye{1000};

struct RunFlags {
  SharedFlags shared;
  bool spawned = false;
};

std::optional<int> parse_flags(const Words& words, RunFlags& flags) {
  Arguments arguments("node run",
                      "Run a node in the foreground, until a signal or until it is idle.");
  arguments.hidden_flag("--spawned", flags.spawned);
  add_shared_flags(arguments, flags.shared);
  arguments.note(
      "With --config, or under systemd, it is managed: agents wait for it and do not start");
  arguments.note("one themselves. Without, it leaves when no agent was there for node.idle_exit.");
  arguments.note(
      "SIGTERM, SIGINT and SIGHUP end it; SIGUSR1 drains it: it ends when no agent is left.");
  return arguments.parse(words);
}

// Answers the exit code: who cannot hear that the node is ready would wait for ever.
int announce(const RunFlags& flags, const LoadedConfig& loaded, const Node& node, bool managed) {
  if (flags.shared.json) {
    std::string line;
    JsonWriter json(line);
    json.begin_object().field("v", 1u).field("event", "ready");
    json.field("pid", static_cast<std::uint64_t>(::getpid())).field("epoch", node.epoch());
    json.field("runtime_directory", node.runtime_directory());
    json.field_bool("managed", managed).end_object();
    return print_and_end(line + "\n");
  }
  for (const ConfigOrigin& origin : loaded.origins) {
    if (origin.origin == "default") continue;
    tell("config " + origin.key + " = " + origin.value + " (" + origin.origin + ")");
  }
  tell("node ready in " + node.runtime_directory() + ": pid " + std::to_string(::getpid()) +
       ", epoch " + std::to_string(node.epoch()) + (managed ? ", managed" : ""));
  return 0;
}

// What ended the node: a signal, or else it left by itself.
struct End {
  int signal = 0;
  bool was_drained = false;

  std::string reason() const {
    if (signal != 0) return ::strsignal(signal);
    return was_drained ? "drained" : "no agent was left";
  }
};

End serve(Node& node, Signals& signals) {
  End end;
  // The thread stays after the first signal: it is the one that a second signal reaches.
  std::jthread watcher([&](const std::stop_token& token) {
    while (!token.stop_requested()) {
      const int number = signals.wait(std::chrono::hours(1));
      if (number == SIGUSR1) {
        tell("draining: new agents and messages are refused; it ends when no agent is left");
        end.was_drained = true;
        node.drain();
      } else if (number != 0) {
        end.signal = number;
        node.request_stop();
      }
    }
  });
  node.wait();
  watcher.request_stop();
  signals.wake();
  watcher.join();
  return end;
}

}  // namespace

int run_node_run(const Words& words) {
  RunFlags flags;
  if (const auto code = parse_flags(words, flags)) return *code;
  Result<LoadedConfig> loaded = load_settings(flags.shared);
  if (!loaded.ok()) return complain(loaded.failure());
  const Config& config = loaded.value().config;
  const bool managed = !flags.spawned && (!flags.shared.config_path.empty() || is_supervised());

  Signals signals({SIGINT, SIGTERM, SIGHUP, SIGUSR1});
  NodeLog log(node_place(config));
  Result<Node> started =
      Node::start(config, managed, [&log](std::string_view line) { log.write(line); });
  if (!started.ok()) return complain(started.failure());
  Node node = std::move(started).value();
  if (const int code = flags.spawned ? 0 : announce(flags, loaded.value(), node, managed)) {
    return code;
  }
  if (flags.spawned) log.detach();
  notify_supervisor("READY=1");

  const End end = serve(node, signals);
  notify_supervisor("STOPPING=1");
  const StopReport report = node.stop(end.signal == 0 ? std::chrono::milliseconds(0) : goodbye);
  tell("node stopped (" + end.reason() +
       "): " + format_plural(report.agents, "agent was", "agents were") + " connected, " +
       format_plural(report.unsent, "message was", "messages were") + " not delivered");
  return end.signal == 0 ? 0 : exit_code_of_signal(end.signal);
}

}  // namespace abuzz::tools
