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
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/settings.hpp"

namespace abuzz::tools {
namespace {

constexpr const char* summary =
    "Measure the bus on this machine: publisher, node and subscriber are processes of their own,\n"
    "every message carries its sequence and a checksum, and a rate is printed only for messages\n"
    "that the receiver verified.\n"
    "\n"
    "SCENARIO is\n"
    "  pubsub    one publisher, as fast as it is let, to one subscriber: messages a second\n"
    "  pingpong  one message in flight, there and back: round-trip percentiles";

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
    if (bench::find_system(name) == nullptr) return "a system is abuzz or zmq";
    systems.push_back(name);
  }
  return {};
}

// Declares, parses and checks. Nothing: go on; otherwise the exit code.
std::optional<int> read_options(const std::vector<std::string>& words,
                                bench::BenchOptions& options) {
  Arguments arguments("bench", summary);
  std::uint64_t runs = options.runs;
  std::chrono::nanoseconds duration(options.duration_ns);
  std::vector<std::string> peers, only;
  arguments.required("SCENARIO", options.scenario, "pubsub or pingpong");
  arguments.value(
      "--size", [&](const std::string& text) { return read_sizes(text, options.sizes); },
      "Payload bytes, one after the other; default 64", "BYTES,...");
  arguments.duration("--duration", duration, "How long each run lasts; default 2s");
  arguments.count("--runs", runs, "How many of each system and size, in turns; default 5", 1, 1000);
  arguments.value(
      "--vs", [&](const std::string& text) { return read_systems(text, peers); },
      "Measure these beside Abuzz, in turns: zmq", "PEER,...");
  arguments.value(
      "--only", [&](const std::string& text) { return read_systems(text, only); },
      "Measure these alone: abuzz, zmq", "SYSTEM,...");
  arguments.flag("--poll", options.is_polling, "Abuzz's side receives by poll, not by handler");
  arguments.text("--out", options.out_file, "Write every run to this file, as JSON", "FILE");
  arguments.flag("--json", options.is_json, "Print that JSON instead of the tables");
  SharedFlags taken;  // for the help: main() has taken them out of the words
  add_config_flags(arguments, taken);
  arguments.note("Examples:");
  arguments.note("  abuzz bench pubsub --vs zmq");
  arguments.note("  abuzz bench pubsub --size 64,1k,64k --vs zmq --out result.json");
  arguments.note("  abuzz bench pingpong --vs zmq --duration 1s");
  arguments.note("Exit codes: 0 every run verified, 1 failed, 2 usage, 6 a run not verified.");
  if (const auto code = arguments.parse(words)) return code;
  if (!bench::is_scenario(options.scenario)) {
    return complain(Error::bad_flag_value,
                    "there is no scenario '" + options.scenario + "': pubsub or pingpong");
  }
  using namespace std::chrono_literals;
  if (duration < 10ms || duration > 1h) {
    return complain(Error::bad_flag_value, "--duration is 10ms to 1h");
  }
  options.runs = static_cast<unsigned>(runs);
  options.duration_ns = duration.count();
  for (const std::string& peer : peers) {
    if (peer == "abuzz") return complain(Error::bad_flag_value, "--vs names others than abuzz");
    options.systems.push_back(peer);
  }
  if (!only.empty()) options.systems = only;
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
