#include "tools/bench_words.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "bench/heritage.hpp"
#include "bench/payload.hpp"
#include "bench/systems.hpp"
#include "bus/config.hpp"
#include "bus/error.hpp"
#include "bus/placement.hpp"
#include "tools/complaint.hpp"

namespace abuzz::tools {
namespace {

// With fewer a publisher that spins takes one that the system under test would use.
constexpr double processors_to_spare = 8;

// "10%", "2.5%"; 0: it is not one.
double read_percent(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  return std::string_view(end) == "%" && number >= 0.1 && number <= 100 ? number / 100 : 0;
}

// A flag that was given and would change nothing is a mistake.
std::string unusable_flag(const BenchWords& words, const bench::BenchOptions& options) {
  const std::string& scenario = words.scenario;
  const auto is_one_of = [&scenario](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), scenario) != names.end();
  };
  const bool is_cost = scenario == "cost";
  const bool compares = !options.against.empty() && !is_cost;
  const bool has_peers = !words.peers.empty() || !words.only.empty();
  const bool has_reports = !options.html_file.empty() || !options.hgrm_file.empty();
  const struct {
    const char* flags;
    bool is_given, is_of_use;
  } rules[] = {
      {"--rate", !options.rates.empty(), !is_one_of({"pingpong", "request", "heritage", "cost"})},
      {"--size", !words.sizes.empty(), !is_one_of({"heritage"})},
      {"--load", !words.load.empty(), is_one_of({"heritage"})},
      {"--pubs", words.publishers != 0, is_one_of({"fanin", "all"})},
      {"--subs", words.subscribers != 0, is_one_of({"fanout", "queue", "all"})},
      {"--poll", options.is_polling, !is_one_of({"heritage", "cost", "queue"})},
      {"--duration", words.duration.count() != 0, !is_cost},
      {"--runs", words.runs != 0, !is_cost && !compares},
      {"--vs and --only", has_peers, !is_cost && !compares},
      {"--slo", !options.slo.empty(), !is_cost && !compares},
      {"--html and --hgrm", has_reports, !is_cost && !compares},
      {"more than one --size", words.sizes.size() > 1, !compares},
      {"more than one --rate", options.rates.size() > 1, !compares},
  };
  for (const auto& rule : rules)
    if (rule.is_given && !rule.is_of_use)
      return std::string(rule.flags) + " is of no use with " +
             (compares ? "--against" : "bench " + scenario);
  if (!words.peers.empty() && !words.only.empty()) return "--only and --vs say different things";
  return {};
}

// What concerns --against.
std::optional<int> read_comparison(const BenchWords& words, bench::BenchOptions& options) {
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
  std::error_code ignored;
  const bool is_program = std::filesystem::is_regular_file(options.against, ignored) &&
                          access(options.against.c_str(), X_OK) == 0;
  if (words.scenario == "cost" || is_program) return std::nullopt;
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

std::optional<int> read_scenario(const BenchWords& words, bench::BenchOptions& options) {
  const bool is_all = words.scenario == "all";
  if (!is_all && words.scenario != "cost" && bench::find_scenario(words.scenario) == nullptr) {
    return complain(Error::bad_flag_value, "there is no scenario '" + words.scenario +
                                               "': " + bench::scenario_names() + ", cost or all");
  }
  options.scenarios = {words.scenario};
  options.sizes = words.sizes;
  options.load = words.load;
  if (!words.load.empty() && bench::find_heritage_load(words.load) == nullptr)
    return complain(Error::bad_flag_value, "--load is one of those that heritage has: peak");
  if (!is_all) return std::nullopt;
  options.scenarios = {"pubsub", "pingpong", "fanout", "fanin"};
  if (options.sizes.empty()) options.sizes = {64, 1024};
  options.has_half_load = options.rates.empty();
  return std::nullopt;
}

std::optional<int> read_duration(const BenchWords& words, bench::BenchOptions& options) {
  using namespace std::chrono_literals;
  options.has_duration = words.duration != 0ns;
  const std::chrono::nanoseconds usual = words.scenario == "all" ? 1s : 2s;
  options.duration_ns = (options.has_duration ? words.duration : usual).count();
  if (!options.has_duration || (words.duration >= 10ms && words.duration <= 1h))
    return std::nullopt;
  return complain(Error::bad_flag_value, "--duration is 10ms to 1h");
}

// Timed payloads hold the moment at which they were to be sent.
std::optional<int> check_sizes(const bench::BenchOptions& options) {
  for (const std::string& name : options.scenarios) {
    const bench::Scenario* scenario = bench::find_scenario(name);
    if (scenario == nullptr || scenario->is_round_trip) continue;
    if (options.rates.empty() && scenario->rate <= 0) continue;
    for (const std::size_t bytes : options.sizes)
      if (bytes < bench::timed_payload_bytes_min)
        return complain(Error::bad_flag_value, "at a rate a payload has at least 24 bytes");
  }
  return std::nullopt;
}

std::optional<int> read_systems(const BenchWords& words, bench::BenchOptions& options) {
  for (const std::string& peer : words.peers) {
    if (peer == bench::abuzz_system.name)
      return complain(Error::bad_flag_value, "--vs names others than abuzz");
    options.systems.push_back(peer);
  }
  if (!words.only.empty()) options.systems = words.only;
  const auto fits_none = [&options](const std::string& name) {
    const bench::Scenario* scenario = bench::find_scenario(name);
    return scenario != nullptr && std::none_of(options.systems.begin(), options.systems.end(),
                                               [scenario](const std::string& system) {
                                                 return scenario->fits(*bench::find_system(system));
                                               });
  };
  if (std::all_of(options.scenarios.begin(), options.scenarios.end(), fits_none))
    return complain(Error::bad_flag_value,
                    options.systems.front() + " has nothing like bench " + words.scenario);
  return std::nullopt;
}

bool may_spin() {
  cpu_set_t allowed;
  const bool is_known = sched_getaffinity(0, sizeof allowed, &allowed) == 0;
  const double processors = is_known ? CPU_COUNT(&allowed) : 1;
  return std::min(processors, read_cpu_quota().value_or(processors)) >= processors_to_spare;
}

}  // namespace

std::optional<int> read_words(const BenchWords& words, bench::BenchOptions& options) {
  if (const auto code = read_scenario(words, options)) return code;
  const std::string fault = unusable_flag(words, options);
  if (!fault.empty()) return complain(Error::bad_flag_value, fault);
  if (const auto code = read_duration(words, options)) return code;
  if (const auto code = read_comparison(words, options)) return code;
  if (const auto code = read_config(options)) return code;
  if (const auto code = check_sizes(options)) return code;
  if (words.runs != 0) options.runs = static_cast<unsigned>(words.runs);
  if (words.publishers != 0) options.publishers = static_cast<unsigned>(words.publishers);
  if (words.subscribers != 0) options.subscribers = static_cast<unsigned>(words.subscribers);
  options.may_spin = may_spin();
  return read_systems(words, options);
}

}  // namespace abuzz::tools
