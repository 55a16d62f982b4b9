#include "tools/collect.hpp"

#include <filesystem>
#include <string>
#include <system_error>

#include "tools/counter_text.hpp"

namespace abuzz::tools {
namespace {

constexpr std::string_view ending = ".counters";

}  // namespace

Result<Counters> collect_counters(const NodePlace& place) {
  Result<StatsSnapshot> node = read_living_node(place);
  if (!node.ok()) return node.failure();
  Counters counters;
  counters.node = std::move(node).value();
  counters.read_at = monotonic_now();
  std::error_code fault;
  for (const auto& entry : std::filesystem::directory_iterator(place.agents, fault)) {
    std::string name = entry.path().filename().string();
    if (!name.ends_with(ending)) continue;
    Result<StatsSnapshot> stats = read_stats(entry.path().string());
    if (!stats.ok() || stats.value().rows.empty()) continue;
    name.resize(name.size() - ending.size());
    counters.agents.push_back({std::move(name), std::move(stats).value()});
  }
  return Result<Counters>(std::move(counters));
}

}  // namespace abuzz::tools
