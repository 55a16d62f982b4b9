#include <array>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "tools/bench_verb.hpp"
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/demo_verb.hpp"
#include "tools/settings.hpp"
#include "tools/signals.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

namespace abuzz::tools {
namespace {

constexpr std::string_view overview = R"(Abuzz: a message bus for agent processes.

Usage: abuzz VERB [OPTIONS]

Use it
  pub TOPIC TEXT     publish a message, or each line of stdin with '-'
  sub PATTERN        print the messages of all topics that match
  get TOPIC          print the last value that is retained on a topic
  request TOPIC TEXT ask who replies there, and print the reply
  reply PATTERN      reply to requests with what a command prints
  demo               a team of agents at work on real text
  bench              measure the bus on this machine

Look at it
  ls                 agents, topics and subscriptions
  info NAME          every counter of one of them, or of the node
  why TOPIC          why messages on a topic do not arrive
  dead               messages that no member of a group could handle
  audit              whether every message is accounted for
  node               run, start, stop, drain or look at the node
  topo               the machine, and which thread belongs where
  doctor             check whether this machine is fit for it

Understand it
  config             show, explain or write the settings
  errors [ID]        what an ABZ id means and what to do
  version            which Abuzz this is

Every verb has --help (also: abuzz help VERB) and --json. --config FILE names a config file.
A node starts by itself.

Try in two terminals:
  abuzz sub 'demo.>'
  abuzz pub demo.hello '{"text":"hi"}'

Exit codes: 0 ok, 1 failed, 2 usage, 3 config, 4 no node, 5 timed out, 6 criterion not met,
7 denied, 9 undelivered, 130 and 143 for SIGINT and SIGTERM.
)";

// Of the verbs that start processes: the config flags are taken out of the words before, and reach
// every process through the environment. Nothing: go on with `kept`; otherwise the exit code.
std::optional<int> take_settings(const Words& words, SharedFlags& flags, Words& kept) {
  if (const auto code = take_config_flags(words, flags, kept)) return *code;
  const Result<LoadedConfig> loaded = load_settings(flags);
  if (!loaded.ok()) return complain(loaded.failure());
  return std::nullopt;
}
int run_bench_verb(const Words& words) {
  SharedFlags flags;
  Words kept;
  if (const auto code = take_settings(words, flags, kept)) return *code;
  return run_bench(kept, flags);
}
int run_demo_verb(const Words& words) {
  SharedFlags flags;
  Words kept{"demo"};
  if (const auto code = take_settings(words, flags, kept)) return *code;
  std::vector<char*> pointers;
  for (std::string& word : kept) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return run_demo(static_cast<int>(kept.size()), pointers.data());
}

struct Verb {
  std::string_view name;
  int (*run)(const Words& words);
};
constexpr std::array<Verb, 19> verbs{{{"pub", run_pub},
                                      {"sub", run_sub},
                                      {"get", run_get},
                                      {"request", run_request},
                                      {"reply", run_reply},
                                      {"ls", run_ls},
                                      {"info", run_info},
                                      {"audit", run_audit},
                                      {"why", run_why},
                                      {"dead", run_dead},
                                      {"node", run_node},
                                      {"topo", run_topo},
                                      {"doctor", run_doctor},
                                      {"config", run_config},
                                      {"errors", run_errors},
                                      {"bench", run_bench_verb},
                                      {"demo", run_demo_verb},
                                      {"version", run_version},
                                      {"--version", run_version}}};

// `abuzz help node run` says what `abuzz node run --help` says.
Words without_help(const Words& words) {
  if (words.size() < 2 || words.front() != "help") return words;
  Words asked(words.begin() + 1, words.end());
  asked.emplace_back("--help");
  return asked;
}

int run(const Words& words) {
  const VerbLine line = split_verb(without_help(words));
  if (line.verb.empty()) {
    // Nothing will read these flags, but one without its value is wrong all the same.
    SharedFlags flags;
    Words rest;
    if (const auto code = take_config_flags(line.words, flags, rest)) return *code;
  }
  for (const Verb& verb : verbs) {
    if (verb.name == line.verb) return verb.run(line.words);
  }
  if (line.verb.empty() || line.verb == "--help" || line.verb == "-h" || line.verb == "help") {
    return print_and_end(overview);
  }
  if (line.verb.starts_with('-')) {
    return complain(Error::unknown_flag,
                    in_quotes(line.verb) + " is not a flag of `abuzz`; `abuzz --help` lists them");
  }
  std::vector<std::string_view> names;
  for (const Verb& verb : verbs) names.push_back(verb.name);
  return complain_about_verb("abuzz", line.verb, names);
}

}  // namespace
}  // namespace abuzz::tools

int main(int argc, char** argv) {
  // The bus itself throws nothing; what is left is memory that ran out in a verb.
  try {
    abuzz::tools::occupy_standard_descriptors();
    abuzz::tools::ignore_broken_pipes();
    return abuzz::tools::run({argv + 1, argv + argc});
  } catch (const std::bad_alloc&) {
    return abuzz::tools::complain({abuzz::Error::out_of_memory, ""});
  } catch (const std::exception& fault) {
    return abuzz::tools::complain({abuzz::Error::internal, fault.what()});
  }
}
