#include "tools/bench_verb.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/bench.hpp"
#include "bench/heritage.hpp"
#include "bench/payload.hpp"
#include "bench/role.hpp"
#include "bench/systems.hpp"
#include "bus/config.hpp"
#include "bus/error.hpp"
#include "tools/arguments.hpp"
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

// As typed, so that it can be repeated.
std::string command_of(int argc, char** argv) {
  std::string command = "abuzz";
  for (int i = 0; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool is_plain = !word.empty() && word.find_first_of(" \t\n'\"\\$*?&|;<>()") == word.npos;
    command += is_plain ? " " : " '";
    command += word;
    if (!is_plain) command += '\'';
  }
  return command;
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

struct Words {
  std::string scenario;
  std::uint64_t runs = 5, publishers = 4, subscribers = 4;
  std::chrono::nanoseconds duration{0};  // 0: not asked for
  std::string rate, load, gate;
  std::uint64_t seed = 1;
  std::chrono::nanoseconds limit{600'000'000'000};
  std::vector<std::string> peers, only;
  std::vector<std::size_t> sizes;
};

void declare(Arguments& arguments, Words& words, bench::BenchOptions& options) {
  arguments.required("SCENARIO", words.scenario, bench::scenario_names() + ", cost or all");
  arguments.value(
      "--size", [&](const std::string& text) { return read_sizes(text, words.sizes); },
      "Payload bytes, one after the other; default 64, of large and lanes 1M", "BYTES,...");
  arguments.text("--rate", words.rate, "Messages a second of all publishers: 100k, 2M", "RATE");
  arguments.duration("--duration", words.duration,
                     "How long each run lasts; default 2s (heritage: sustained 60s)");
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
  arguments.text("--gate", words.gate, "With --against: exit with 6 when slower by that; 10%",
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

// "100k", "2M", "1500"; 0: it is not one.
double read_rate(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  const std::string_view unit = end;
  const double factor = unit.empty() ? 1 : unit == "k" ? 1e3 : unit == "M" ? 1e6 : 0;
  const double rate = number * factor;
  return rate >= 1 && rate <= 1e9 ? rate : 0;
}

// "10%", "2.5%"; 0: it is not one.
double read_percent(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  return std::string_view(end) == "%" && number >= 0.1 && number <= 100 ? number / 100 : 0;
}

// What concerns --against.
std::optional<int> read_comparison(const Words& words, bench::BenchOptions& options) {
  options.seed = words.seed;
  options.limit_ns = words.limit.count();
  options.has_gate = !words.gate.empty();
  if (options.has_gate) options.gate = read_percent(words.gate);
  if (options.gate == 0) return complain(Error::bad_flag_value, "--gate is a share: 10%");
  if (options.against.empty()) {
    if (!options.has_gate) return std::nullopt;
    return complain(Error::missing_argument, "--gate needs --against");
  }
  if (words.scenario == "all" || words.scenario == "heritage" || words.scenario == "lanes")
    return complain(Error::bad_flag_value, "--against takes one scenario at a time");
  if (words.scenario == "cost" || access(options.against.c_str(), X_OK) == 0) return std::nullopt;
  return complain(Error::bad_flag_value, options.against +
                                             " is not a program; files are for bench cost,"
                                             " because time means nothing on another host");
}

// The config that the processes of Abuzz will read. Exports what --profile says.
std::optional<int> read_config(bench::BenchOptions& options) {
  if (options.link != "zmq")
    return complain(Error::bad_flag_value, "there is no link '" + options.link + "': zmq");
  if (!options.profile.empty()) ::setenv("ABUZZ_PLACE__WAITING", options.profile.c_str(), 1);
  const auto config = config_from_environment();
  if (!config) return complain(config.error(), config.failure().detail);
  return std::nullopt;
}

// Declares, parses and checks. Nothing: go on; otherwise the exit code.
std::optional<int> read_options(const std::vector<std::string>& typed,
                                bench::BenchOptions& options) {
  Arguments arguments("bench", summary);
  Words words;
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
  const bool is_all = words.scenario == "all";
  const bool is_cost = words.scenario == "cost";
  if (!is_all && !is_cost && bench::find_scenario(words.scenario) == nullptr) {
    return complain(Error::bad_flag_value, "there is no scenario '" + words.scenario +
                                               "': " + bench::scenario_names() + ", cost or all");
  }
  options.sizes = words.sizes;
  using namespace std::chrono_literals;
  if (words.duration != 0ns && (words.duration < 10ms || words.duration > 1h)) {
    return complain(Error::bad_flag_value, "--duration is 10ms to 1h");
  }
  if (!words.rate.empty()) {
    options.rate = read_rate(words.rate);
    if (options.rate == 0)
      return complain(Error::bad_flag_value, "--rate is messages a second: 1500, 100k, 2M");
  }
  options.load = words.load;
  if (!words.load.empty() && bench::find_heritage_load(words.load) == nullptr)
    return complain(Error::bad_flag_value, "--load is one of those that heritage has: peak");
  options.scenarios = {words.scenario};
  if (is_all) {
    options.scenarios = {"pubsub", "pingpong", "fanout", "fanin"};
    options.sizes = {64, 1024};
    options.has_half_load = options.rate == 0;
  }
  if (const auto code = read_comparison(words, options)) return code;
  if (const auto code = read_config(options)) return code;
  options.runs = static_cast<unsigned>(words.runs);
  options.publishers = static_cast<unsigned>(words.publishers);
  options.subscribers = static_cast<unsigned>(words.subscribers);
  options.has_duration = words.duration != 0ns;
  if (options.has_duration) options.duration_ns = words.duration.count();
  const bool is_timed =
      options.rate > 0 || (!is_all && !is_cost && bench::find_scenario(words.scenario)->rate > 0);
  for (const std::size_t bytes : options.sizes)
    if (is_timed && bytes < bench::timed_payload_bytes_min)
      return complain(Error::bad_flag_value, "at a rate a payload has at least 24 bytes");
  for (const std::string& peer : words.peers) {
    if (peer == "abuzz") return complain(Error::bad_flag_value, "--vs names others than abuzz");
    options.systems.push_back(peer);
  }
  if (!words.only.empty()) options.systems = words.only;
  return std::nullopt;
}

}  // namespace

int run_bench(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  // One process of a run: the benchmark starts it, nobody types it.
  if (words.size() == 2 && words[0] == "role") {
    bench::RoleOptions role;
    if (bench::decode(words[1], role)) return bench::run_role(role);
    return complain(Error::bad_flag_value, "this is not a role of a benchmark");
  }
  bench::BenchOptions options;
  if (const auto code = read_options(words, options)) return *code;
  options.command = command_of(argc, argv);
  return bench::run_bench(options);
}

}  // namespace abuzz::tools
