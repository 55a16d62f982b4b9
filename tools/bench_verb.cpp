#include "tools/bench_verb.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/bench.hpp"
#include "bench/payload.hpp"
#include "bench/role.hpp"
#include "bench/systems.hpp"
#include "bus/config.hpp"
#include "bus/error.hpp"
#include "tools/arguments.hpp"
#include "tools/bench_words.hpp"
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/settings.hpp"

namespace abuzz::tools {
namespace {

constexpr const char* summary =
    "Measure the bus on this machine: publishers, node and subscribers are processes of their "
    "own,\n"
    "every message carries its sequence and a checksum, and a rate is printed only for messages\n"
    "that the receiver verified.\n"
    "\n"
    "SCENARIO is\n"
    "  pubsub       one publisher to one subscriber\n"
    "  fanout       one publisher to --subs subscribers, each of which gets everything\n"
    "  fanin        --pubs publishers to one subscriber\n"
    "  pingpong     one message in flight, there and back: round-trip percentiles\n"
    "  request      the same as a request and its reply\n"
    "  queue        one publisher to a group of --subs workers, which acknowledge\n"
    "  burst        1000 messages at once, 100 times a second (--rate: messages a second)\n"
    "  idle-wake    one message to processes that have slept for 20 ms\n"
    "  slow-reader  a subscriber beside one that takes 100 us for each message\n"
    "  large        pubsub of 1 MiB\n"
    "  lanes        64 B on the lane high, 1000 a second, beside bulk of --size (1M) as fast as "
    "it\n"
    "               is let; with --vs zmq-direct also beside a raw ZeroMQ pair that sends as much\n"
    "  heritage     seven loads of 100 to 10,000 logical agents, beside the floors they must pass\n"
    "  cost         instructions, system calls, allocations and bytes a message, counted by "
    "valgrind:\n"
    "               the same on every host with the same build\n"
    "  all          pubsub, pingpong, fanout and fanin at 64 B and 1 KiB, and pubsub at half of\n"
    "               what each system can do\n"
    "\n"
    "Without --rate publishers send as fast as they are let: throughput, which says nothing about\n"
    "latency. With it they send at that rate whatever happens, and the latency of each message\n"
    "counts from the moment at which it was to be sent.";

// As a shell takes it.
std::string quoted(const std::string& word) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+,./:@%^";
  if (!word.empty() && word.find_first_not_of(plain) == word.npos) return word;
  std::string text = "'";
  for (const char letter : word)
    text += letter == '\'' ? std::string("'\\''") : std::string{letter};
  return text + "'";
}

// As typed, so that it can be repeated.
std::string command_of(const std::vector<std::string>& words, const std::string& settings) {
  std::string command = "abuzz bench";
  for (const std::string& word : words) command += " " + quoted(word);
  return command + settings;
}

std::string settings_of(const SharedFlags& flags) {
  std::string text;
  if (!flags.config_path.empty()) text += " --config " + quoted(flags.config_path);
  for (const std::string& pair : flags.pairs) text += " --set " + quoted(pair);
  return text;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  while (true) {
    const std::size_t comma = text.find(',');
    items.emplace_back(text.substr(0, comma));
    if (comma == text.npos) return items;
    text.remove_prefix(comma + 1);
  }
}

// Sizes of memory: "1k" is 1 KiB here, as benchmarks write it.
std::string read_sizes(const std::string& text, std::vector<std::size_t>& sizes) {
  sizes.clear();
  for (std::string item : split_list(text)) {
    if (item.ends_with('k') || item.ends_with('K')) item.replace(item.size() - 1, 1, "KiB");
    if (item.ends_with('m') || item.ends_with('M')) item.replace(item.size() - 1, 1, "MiB");
    const auto bytes = parse_bytes(item);
    if (!bytes || *bytes < bench::payload_bytes_min || *bytes > Config{}.limits.payload_bytes_max) {
      return "sizes are 16 to 1M, such as 64,1k,64k";
    }
    sizes.push_back(static_cast<std::size_t>(*bytes));
  }
  return {};
}

std::string read_rates(const std::string& text, std::vector<double>& rates) {
  for (const std::string& item : split_list(text)) {
    const auto rate = parse_rate(item);
    if (!rate || *rate < 1) return "rates are messages a second, such as 1500,100k,2M";
    rates.push_back(*rate);
  }
  return {};
}

std::string read_systems(const std::string& text, std::vector<std::string>& systems) {
  for (const std::string& name : split_list(text)) {
    if (bench::find_system(name) != nullptr) {
      systems.push_back(name);
      continue;
    }
    const std::string packages(bench::packages_of(name));
    if (packages.empty()) return "the systems are " + bench::system_names();
    return name + " was not built in: apt-get install " + packages +
           ", then cmake with -DABUZZ_PEERS=ON";
  }
  return {};
}

void declare(Arguments& arguments, BenchWords& words, bench::BenchOptions& options) {
  arguments.required("SCENARIO", words.scenario, bench::scenario_names() + ", cost or all");
  arguments.value(
      "--size", [&](const std::string& text) { return read_sizes(text, words.sizes); },
      "Payload bytes, one after the other; default 64, of large and lanes 1M", "BYTES,...");
  arguments.value(
      "--rate", [&](const std::string& text) { return read_rates(text, options.rates); },
      "Messages a second of all publishers, one after the other: 100k,1M", "RATE,...");
  arguments.duration("--duration", words.duration,
                     "How long each run lasts; default 2s, of all 1s (heritage: sustained 60s)");
  arguments.count("--runs", words.runs, "How many of each, in turns; default 5", 1, 1000);
  arguments.count("--pubs", words.publishers, "Publishers of fanin; default 4", 1, 64);
  arguments.count("--subs", words.subscribers, "Subscribers of fanout, workers of queue; default 4",
                  1, 64);
  arguments.text("--load", words.load, "Of heritage only this one: baseline, peak, ultra ...",
                 "NAME");
  arguments.value(
      "--vs", [&](const std::string& text) { return read_systems(text, words.peers); },
      "Measure these beside Abuzz, in turns: " + bench::system_names(), "PEER,...");
  arguments.value(
      "--only", [&](const std::string& text) { return read_systems(text, words.only); },
      "Measure these alone", "SYSTEM,...");
  arguments.flag("--poll", options.is_polling, "Abuzz's side receives by poll, not by handler");
  arguments.value(
      "--slo", [&](const std::string& text) { return bench::parse_slo(text, options.slo); },
      "Exit with 6 unless Abuzz reaches that: 'p99<50us,loss=0'", "CONDITION,...");
  arguments.text("--against", options.against,
                 "Compare with another `abuzz`, in turns; of cost: with its file", "BUILD");
  arguments.text("--gate", words.gate,
                 "With --against: exit with 6 for a slowdown of that much, of which half is the"
                 " border; 10%",
                 "PERCENT");
  arguments.duration("--limit", words.limit, "With --against: undecided after that; default 10min");
  arguments.count("--seed", words.seed, "Of the order of the runs of --against; default 1", 0,
                  UINT64_MAX);
  arguments.text("--link", options.link, "The link between agents and node: zmq", "NAME");
  arguments.text("--profile", options.profile, "How threads wait for work: place.waiting", "NAME");
  arguments.text("--out", options.out_file, "Write every run to this file, as JSON", "FILE");
  arguments.text("--html", options.html_file, "Write a page with charts to this file", "FILE");
  arguments.text("--hgrm", options.hgrm_file, "Write latency percentiles as HdrHistogram does",
                 "FILE");
  arguments.flag("--json", options.is_json, "Print that JSON instead of the tables");
}

// Declares, parses and checks. Nothing: go on; otherwise the exit code.
std::optional<int> read_options(const std::vector<std::string>& typed,
                                bench::BenchOptions& options) {
  Arguments arguments("bench", summary);
  BenchWords words;
  declare(arguments, words, options);
  SharedFlags taken;  // for the help: main() has taken them out of the words
  add_config_flags(arguments, taken);
  arguments.note("Examples:");
  arguments.note("  abuzz bench pubsub --vs zmq");
  arguments.note("  abuzz bench pubsub --size 64,1k,64k --vs zmq --out result.json");
  arguments.note("  abuzz bench pubsub --rate 500k");
  arguments.note("  abuzz bench pingpong --vs zmq --duration 1s");
  arguments.note("  abuzz bench lanes --vs zmq-direct --duration 5s");
  arguments.note("  abuzz bench pubsub --rate 100k --slo 'p99<2ms,loss=0'");
  arguments.note("  abuzz bench pubsub --against /usr/bin/abuzz --gate 10%");
  arguments.note(
      "Exit codes: 0 every run verified, 1 failed, 2 usage, 6 a run not verified, a\n"
      "condition of --slo not met, or slower than --gate allows.");
  if (const auto code = arguments.parse(typed)) return code;
  return read_words(words, options);
}

}  // namespace

int run_bench(const std::vector<std::string>& words, const SharedFlags& settings) {
  // One process of a run: the benchmark starts it, nobody types it.
  if (words.size() == 2 && words[0] == "role") {
    bench::RoleOptions role;
    if (bench::decode(words[1], role)) return bench::run_role(role);
    return complain(Error::bad_flag_value, "this is not a role of a benchmark");
  }
  bench::BenchOptions options;
  if (const auto code = read_options(words, options)) return *code;
  options.settings = settings_of(settings);
  options.command = command_of(words, options.settings);
  return bench::run_bench(options);
}

}  // namespace abuzz::tools
