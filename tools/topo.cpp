#include <chrono>
#include <optional>
#include <thread>

#include "bus/placement.hpp"
#include "tools/advice.hpp"
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/json_writer.hpp"
#include "tools/node_process.hpp"
#include "tools/settings.hpp"
#include "tools/terminal.hpp"
#include "tools/topo_json.hpp"
#include "tools/verbs.hpp"

namespace abuzz::tools {
namespace {

constexpr std::uint64_t threads_max = 4096;
// Between the two looks at the counters of a node.
constexpr std::chrono::milliseconds advice_span{1000};

struct TopoFlags {
  SharedFlags shared;
  std::string machine;
  bool measure = false, plan = false, share_cores = false, advise = false;
  std::optional<std::uint32_t> shards, workers;  // 0: as many as there is room for
};

// A count or "auto".
Arguments::Reader count_reader(std::optional<std::uint32_t>& target) {
  return [&target](const std::string& text) -> std::string {
    const auto count = text == "auto" ? std::optional<std::uint64_t>(0) : parse_count(text);
    if (!count || (*count == 0 && text != "auto") || *count > threads_max) {
      return "takes auto, or 1 to " + std::to_string(threads_max);
    }
    target = static_cast<std::uint32_t>(*count);
    return {};
  };
}

std::optional<int> parse(const Words& words, TopoFlags& flags) {
  Arguments arguments("topo", "The machine as the bus sees it: what this process may use of it.");
  arguments.flag("--plan", flags.plan, "Say which thread of the bus belongs where, and why");
  arguments.flag("--measure", flags.measure,
                 "Measure (under 100 ms) what cache lines and wake-ups cost between processors");
  arguments.flag("--advise", flags.advise,
                 "Look at a running node for a second: who talks to whom and how, and where they "
                 "belong, with what was measured of it");
  arguments.text("--machine", flags.machine,
                 "Another machine, as hwloc describes it (\"pack:2 numa:2 core:16 pu:2\"), or an "
                 "XML file of hwloc",
                 "TEXT");
  arguments.value("--shards", count_reader(flags.shards),
                  "Plan so many; default: place.shards here, auto on another machine", "N|auto");
  arguments.value("--workers", count_reader(flags.workers),
                  "Plan a pool of so many workers in an agent, too", "N|auto");
  arguments.flag("--share-cores", flags.share_cores,
                 "Let two shards, or two workers, share a core");
  add_shared_flags(arguments, flags.shared);
  arguments.note("What was measured is kept until the machine restarts, and a node plans with it.");
  arguments.note("A node pins its threads as place.pin says: auto, on, off.");
  return arguments.parse(words);
}

Result<Topology> find_topology(const TopoFlags& flags) {
  if (flags.machine.empty()) return read_topology();
  return make_topology(flags.machine);
}

// Measures, or remembers. Nothing is known of a machine that is not here.
std::optional<Measures> find_measures(const TopoFlags& flags, const Config& config,
                                      const Topology& topology) {
  if (!topology.is_this_machine) return std::nullopt;
  if (!flags.measure) return kept_measures(config, topology);
  Measures measures = measure_machine(topology);
  if (const Status kept = keep_measures(config, topology, measures); !kept.ok()) {
    tell("not kept for the node: " + kept.failure().message());
  }
  return measures;
}

PlanWishes wishes_of(const TopoFlags& flags, const Config& config, const Topology& topology) {
  PlanWishes wishes;
  wishes.pin = pin_wish(config);
  wishes.shards = flags.shards.value_or(topology.is_this_machine ? config.place.shards : 0);
  wishes.pool_workers = flags.workers;
  wishes.may_share_cores = flags.share_cores;
  return wishes;
}

// What goes through the node now, and what places are worth here.
Result<std::string> find_advice(const Config& config, const Topology& topology, bool is_json) {
  const NodePlace place = node_place(config);
  Result<StatsSnapshot> before = read_living_node(place);
  if (!before.ok()) return before.failure();
  const auto begun = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(advice_span);
  Result<StatsSnapshot> after = read_living_node(place);
  if (!after.ok()) return after.failure();
  const auto talks =
      find_talks(before.value(), after.value(), std::chrono::steady_clock::now() - begun);
  const MeetingMeasures measures = measure_meeting(topology);
  const std::vector<Advice> advices = advise(talks, measures);
  const std::uint64_t meeting = after.value().rows.front().get(ProcessCounter::meeting);
  if (!is_json) return advice_text(advices, measures, meeting);
  std::string text;
  JsonWriter json(text);
  json.begin_object().field("v", 1u).key("advice");
  write_advice(json, advices, measures, meeting);
  json.end_object();
  return text + "\n";
}

std::string print_json(const Topology& topology, const Measures* measures, const Plan* plan) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().field("v", 1u).key("topology");
  write_topology(json, topology);
  if (measures != nullptr) {
    json.key("measures");
    write_measures(json, *measures);
  }
  if (plan != nullptr) {
    json.key("plan");
    write_plan(json, *plan);
  }
  json.end_object();
  return text + "\n";
}

}  // namespace

int run_topo(const Words& words) {
  TopoFlags flags;
  if (const auto code = parse(words, flags)) return *code;
  if (flags.measure && !flags.machine.empty()) {
    return complain(Error::bad_flag_value,
                    "--measure measures this machine, not that of --machine");
  }
  if (flags.advise && !flags.machine.empty()) {
    return complain(Error::bad_flag_value, "--advise looks at a node of this machine");
  }
  Result<LoadedConfig> loaded = load_settings(flags.shared);
  if (!loaded.ok()) return complain(loaded.failure());
  const Config config = std::move(loaded).value().config;
  Result<Topology> found = find_topology(flags);
  if (!found.ok()) return complain(found.failure());
  const Topology topology = std::move(found).value();
  if (flags.advise) {
    Result<std::string> advice = find_advice(config, topology, flags.shared.json);
    return advice.ok() ? print_and_end(advice.value()) : complain(advice.failure());
  }
  const std::optional<Measures> measured = find_measures(flags, config, topology);
  const Measures* measures = measured ? &*measured : nullptr;
  std::optional<Plan> plan;
  if (flags.plan) {
    plan = plan_threads(topology, measures, wishes_of(flags, config, topology));
  }
  if (flags.shared.json) {
    return print_and_end(print_json(topology, measures, plan ? &*plan : nullptr));
  }
  std::string text = topology_text(topology);
  if (measures != nullptr) text += "\n" + measures_text(*measures);
  if (plan) text += "\n" + plan_text(*plan);
  return print_and_end(text);
}

}  // namespace abuzz::tools
