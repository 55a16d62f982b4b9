#include <algorithm>
#include <array>
#include <cstdio>

#include "bus/place/affinity.hpp"
#include "bus/placement.hpp"

// A topology and a plan as text for people.

namespace abuzz {
namespace {

using Core = Topology::Core;
using Cores = std::vector<Core>;

// With more cores than this under one branch they share a line.
constexpr std::size_t lines_a_branch = 8;

struct Level {
  const char* name;
  std::uint32_t Core::*number;
  bool is_shown;
};

std::string count_text(std::size_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string core_text(const Topology& topology, const Core& core) {
  std::string text = core.processors.size() == 1 ? "processor " : "processors ";
  text += place::processors_text(core.processors);
  if (topology.kind_count > 1) text += ", kind " + std::to_string(core.kind);
  return text;
}

// "16 cores of kind 1, 2 processors each: 0-31". Empty when they are not alike.
std::string alike_text(const Topology& topology, const Cores& cores) {
  std::vector<std::uint32_t> processors;
  for (const Core& core : cores) {
    const bool is_alike = core.processors.size() == cores.front().processors.size() &&
                          core.kind == cores.front().kind;
    if (!is_alike) return {};
    processors.insert(processors.end(), core.processors.begin(), core.processors.end());
  }
  std::ranges::sort(processors);
  std::string text = count_text(cores.size(), "core", "cores");
  if (topology.kind_count > 1) text += " of kind " + std::to_string(cores.front().kind);
  const std::size_t each = cores.front().processors.size();
  if (each > 1) text += ", " + std::to_string(each) + " processors each";
  return text + ": " + place::processors_text(processors);
}

std::string branch(const std::string& indent, bool is_last, const std::string& label) {
  return indent + (is_last ? "└─ " : "├─ ") + label + "\n";
}

// Neighbours in `cores` that `is_together` holds for, group by group.
template <class Together>
std::vector<Cores> groups(const Cores& cores, const Together& is_together) {
  std::vector<Cores> found;
  for (const Core& core : cores) {
    if (found.empty() || !is_together(found.back().front(), core)) found.emplace_back();
    found.back().push_back(core);
  }
  return found;
}

std::string leaves(const Topology& topology, const Cores& cores, const std::string& indent) {
  std::string text;
  if (cores.size() > lines_a_branch) {
    const std::vector<Cores> alike = groups(cores, [](const Core& a, const Core& b) {
      return a.kind == b.kind && a.processors.size() == b.processors.size();
    });
    for (std::size_t i = 0; i < alike.size(); ++i) {
      text += branch(indent, i + 1 == alike.size(), alike_text(topology, alike[i]));
    }
    return text;
  }
  for (std::size_t i = 0; i < cores.size(); ++i) {
    text += branch(indent, i + 1 == cores.size(), "core: " + core_text(topology, cores[i]));
  }
  return text;
}

std::string tree(const Topology& topology, const Cores& cores, const std::array<Level, 3>& levels,
                 std::size_t depth, const std::string& indent) {
  while (depth < levels.size() && !levels[depth].is_shown) ++depth;
  if (depth == levels.size()) return leaves(topology, cores, indent);
  const Level& level = levels[depth];
  const std::vector<Cores> parts = groups(
      cores, [&](const Core& a, const Core& b) { return a.*level.number == b.*level.number; });
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool is_last = i + 1 == parts.size();
    text += branch(indent, is_last, level.name + std::to_string(parts[i].front().*level.number));
    text += tree(topology, parts[i], levels, depth + 1, indent + (is_last ? "   " : "│  "));
  }
  return text;
}

std::string head(const Topology& topology) {
  const std::size_t allowed = topology.processor_count();
  std::string text = topology.origin + ": " + count_text(topology.cores.size(), "core", "cores") +
                     ", " + count_text(allowed, "processor", "processors");
  if (allowed < topology.online_count) {
    text += " of " + std::to_string(topology.online_count) + " that run";
  }
  if (topology.offline_count > 0) {
    text += ", " + std::to_string(topology.offline_count) + " switched off";
  }
  if (topology.kind_count > 1) {
    text += ", " + std::to_string(topology.kind_count) + " kinds of core (0 the slowest)";
  }
  if (topology.quota) {
    std::array<char, 48> quota{};
    std::snprintf(quota.data(), quota.size(), ", a quota of %.3g", *topology.quota);
    text += quota.data();
  }
  return text + "\n";
}

}  // namespace

std::string topology_text(const Topology& topology) {
  const std::array<Level, 3> levels{{{"package ", &Core::package, true},
                                     {"NUMA node ", &Core::numa, topology.knows_numa},
                                     {"L3 cache ", &Core::cache, topology.knows_caches}}};
  std::string text = head(topology) + tree(topology, topology.cores, levels, 0, "");
  if (!topology.knows_cores)
    text += "Nothing says which processors share a core: each counts as one.\n";
  if (!topology.knows_caches)
    text += "Nothing says which cores share a cache: a package counts as one.\n";
  if (!topology.knows_numa) text += "Nothing is known of NUMA nodes.\n";
  if (!topology.note.empty()) text += "Note: " + topology.note + ".\n";
  return text;
}

std::string plan_text(const Plan& plan) {
  std::string text =
      "shards   " + std::to_string(plan.shard_count) + ": " + plan.shard_reason + "\n";
  if (!plan.worker_reason.empty()) {
    text += "workers  " + std::to_string(plan.worker_count) + ": " + plan.worker_reason + "\n";
  }
  text += std::string("pinning  ") + (plan.pins ? "on: " : "off: ") + plan.pin_reason + "\n";
  if (!plan.conversation.empty()) text += "talk     " + plan.conversation + "\n";
  text += plan.pins ? "threads\n" : "threads, and where pinning would put them\n";
  for (const PlannedThread& thread : plan.threads) {
    std::string name = "  " + thread.name(), where = place::processors_text(thread.processors);
    name.resize(std::max<std::size_t>(name.size(), 13), ' ');
    where.resize(std::max<std::size_t>(where.size(), 8), ' ');
    text.append(name).append(" ").append(where).append(" ").append(thread.reason).append("\n");
  }
  if (!plan.left.empty()) {
    text += "left     " + place::processors_text(plan.left) + ": " + plan.left_reason + "\n";
  }
  return text;
}

}  // namespace abuzz
