#include <signal.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/json_writer.hpp"
#include "tools/node_process.hpp"
#include "tools/settings.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

// `abuzz node` and what it does to a node from outside: start, stop and drain.

namespace abuzz::tools {
namespace {

constexpr std::chrono::seconds stop_patience{5};

struct Verb {
  std::string_view name;
  int (*run)(const Words& words);
};
constexpr std::array<Verb, 5> verbs{{{"run", run_node_run},
                                     {"start", run_node_start},
                                     {"stop", run_node_stop},
                                     {"drain", run_node_drain},
                                     {"status", run_node_status}}};

constexpr std::string_view overview =
    R"(The switch of this host. It starts by itself when an agent needs it.

Usage: abuzz node VERB [OPTIONS]

  run      run a node in the foreground
  start    start one in the background, if none is there
  stop     end it; agents keep what they published until the next one
  drain    let it finish what is queued, take nothing new, and end when it is empty
  status   what it is doing

`abuzz node VERB --help` says more.
)";

// Answers the exit code.
int print_state(const SharedFlags& flags, std::string_view state, std::uint64_t pid,
                const std::string& sentence) {
  if (!flags.json) return print_and_end(sentence + "\n");
  std::string line;
  JsonWriter json(line);
  json.begin_object().field("v", 1u).field("state", state);
  if (pid != 0) json.field("pid", pid);
  json.end_object();
  return print_and_end(line + "\n");
}

// Whether the process is an `abuzz node run`, which waits for SIGUSR1. A node that lives inside
// another program must not be signalled: that would end the program.
bool takes_signals(std::uint32_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  std::string word;
  while (file >> word) {
    if (word != "SigBlk:" && word != "SigCgt:") continue;
    std::string mask;
    file >> mask;
    const std::uint64_t bits = std::strtoull(mask.c_str(), nullptr, 16);
    if ((bits >> static_cast<unsigned>(SIGUSR1 - 1) & 1u) != 0) return true;
  }
  return false;
}

// Sends the signal to the node of `stats`. Between the look at the process and the signal there are
// microseconds, and a pid is not given out again that fast.
Status signal_node(const StatsSnapshot& stats, int number) {
  const std::string who = "process " + std::to_string(stats.pid);
  if (!takes_signals(stats.pid)) {
    return Failure{Error::system, "the node is a part of " + who + ", which must end it itself"};
  }
  if (!is_same_process(stats.pid, stats.start_ticks)) return Failure{Error::no_node, who};
  if (::kill(static_cast<pid_t>(stats.pid), number) != 0) {
    return Failure{Error::system, "kill " + who + ": " + std::strerror(errno)};
  }
  return Done{};
}

struct Control {
  SharedFlags flags;
  NodePlace place;
  Config config;
};

std::optional<int> prepare(const std::string& verb, const std::string& summary, const Words& words,
                           Control& control) {
  Arguments arguments(verb, summary);
  add_shared_flags(arguments, control.flags);
  if (const auto code = arguments.parse(words)) return code;
  Result<LoadedConfig> loaded = load_settings(control.flags);
  if (!loaded.ok()) return complain(loaded.failure());
  control.config = loaded.value().config;
  control.place = node_place(control.config);
  return std::nullopt;
}

}  // namespace

int run_node(const Words& words) {
  const VerbLine line = split_verb(words);
  for (const Verb& verb : verbs) {
    if (verb.name == line.verb) return verb.run(line.words);
  }
  if (line.verb == "--help" || line.verb == "-h") return print_and_end(overview);
  if (line.verb.empty()) {
    return complain(Error::missing_argument,
                    "`abuzz node` needs run, start, stop, drain or status");
  }
  std::vector<std::string_view> names;
  for (const Verb& verb : verbs) names.push_back(verb.name);
  return complain_about_verb("abuzz node", line.verb, names);
}

int run_node_start(const Words& words) {
  Control control;
  if (const auto code = prepare("node start", "Start a node in the background, if none is there.",
                                words, control)) {
    return *code;
  }
  const bool was_there = is_node_ready(control.place);
  if (!was_there) {
    const Status spawned = spawn_node(control.place, control.config.agent.connect_timeout);
    if (!spawned.ok()) return complain(spawned.failure());
  }
  Result<StatsSnapshot> stats = read_living_node(control.place);
  if (!stats.ok()) return complain(stats.failure());
  const std::uint64_t pid = stats.value().pid;
  std::string sentence = was_there ? "a node runs already" : "a node was started";
  sentence += ": pid " + std::to_string(pid) + ", " + control.place.directory;
  if (!was_there && control.config.node.idle_exit.count() != 0) {
    sentence += "; it leaves after " + format_duration(control.config.node.idle_exit) +
                " without agents (node.idle_exit)";
  }
  return print_state(control.flags, was_there ? "running" : "started", pid, sentence);
}

int run_node_stop(const Words& words) {
  Control control;
  if (const auto code = prepare("node stop", "End the node, if one runs.", words, control)) {
    return *code;
  }
  Result<StatsSnapshot> stats = wait_for_counters(control.place, std::chrono::seconds(1));
  if (!stats.ok() && stats.error() == Error::runtime_directory_unsafe)
    return complain(stats.failure());
  if (!stats.ok()) {
    return print_state(control.flags, "none", 0, "no node runs in " + control.place.directory);
  }
  const std::uint32_t pid = stats.value().pid;
  const Status sent = signal_node(stats.value(), SIGTERM);
  if (!sent.ok() && sent.error() != Error::no_node) return complain(sent.failure());
  if (!wait_for_end(pid, stats.value().start_ticks, stop_patience)) {
    return complain(Error::timed_out,
                    "the node did not end within " + format_duration(stop_patience) +
                        "; end it by force with `kill -9 " + std::to_string(pid) + "`");
  }
  return print_state(control.flags, "stopped", pid,
                     "the node was stopped: pid " + std::to_string(pid));
}

int run_node_drain(const Words& words) {
  Control control;
  if (const auto code = prepare(
          "node drain", "Let the node finish what is queued, take nothing new, and end when empty.",
          words, control)) {
    return *code;
  }
  Result<StatsSnapshot> stats = read_living_node(control.place);
  if (!stats.ok()) return complain(stats.failure());
  const Status sent = signal_node(stats.value(), SIGUSR1);
  if (!sent.ok()) return complain(sent.failure());
  return print_state(
      control.flags, "draining", stats.value().pid,
      "the node drains and ends when no agent is left: pid " + std::to_string(stats.value().pid));
}

}  // namespace abuzz::tools
