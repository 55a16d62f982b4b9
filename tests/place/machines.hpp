#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "bus/place/topology.hpp"
#include "bus/placement.hpp"

// Machines of all kinds, each with what was measured on it and what is wished for.

namespace abuzz::place::testing {

enum class Wakes { unmeasured, cheap, dear };

struct Machine {
  std::string name;         // of its golden file
  std::string description;  // synthetic, NAME.xml, or "flat N": only N numbers are known
  Wakes wakes = Wakes::unmeasured;
  std::optional<double> quota = {};
  std::vector<std::uint32_t> allowed = {};  // as by taskset; empty: all
  PlanWishes wishes = {};
};

inline void PrintTo(const Machine& machine, std::ostream* out) {
  *out << machine.name;
}

inline std::vector<std::uint32_t> range(std::uint32_t first, std::uint32_t last) {
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t i = first; i <= last; ++i) numbers.push_back(i);
  return numbers;
}

inline PlanWishes wish(PinWish pin, std::uint32_t shards = 0,
                       std::optional<std::uint32_t> workers = {}, bool may_share = false) {
  return {pin, shards, workers, may_share};
}

inline std::vector<Machine> machines() {
  using enum Wakes;
  constexpr auto automatic = PinWish::automatic;
  return {
      {"one-processor", "pu:1"},
      {"one-core-two-siblings", "core:1 pu:2"},
      {"two-cores", "pack:1 l3:1 core:2 pu:1", dear},
      {"two-cores-cheap-wakes", "pack:1 l3:1 core:2 pu:1", cheap},
      {"two-cores-pinned-on-wish", "pack:1 l3:1 core:2 pu:1", dear, {}, {}, wish(PinWish::on)},
      {"laptop", "pack:1 l3:1 core:4 pu:2", cheap},
      {"laptop-unpinned-on-wish", "pack:1 l3:1 core:4 pu:2", cheap, {}, {}, wish(PinWish::off)},
      {"laptop-with-pool", "pack:1 l3:1 core:4 pu:2", cheap, {}, {}, wish(automatic, 1, 0)},
      {"laptop-large-pool", "pack:1 l3:1 core:4 pu:2", cheap, {}, {}, wish(automatic, 2, 16)},
      {"laptop-shared-cores",
       "pack:1 l3:1 core:4 pu:2",
       cheap,
       {},
       {},
       wish(automatic, 6, 6, true)},
      {"laptop-too-many-shards", "pack:1 l3:1 core:4 pu:2", cheap, {}, {}, wish(automatic, 6)},
      {"virtual-machine-dear-wakes", "pack:1 l3:1 core:8 pu:1", dear},
      {"virtual-machine-no-cores", "pu:8", cheap},
      {"packages-of-one-core", "pack:4 l3:1 core:1 pu:1", cheap},
      {"one-of-two-allowed", "pack:1 l3:1 core:2 pu:1", unmeasured, {}, {0}},
      {"siblings-outside-the-mask", "pack:1 l3:1 core:4 pu:2", cheap, {}, {0, 2, 4, 6}},
      {"mask-across-packages", "pack:2 l3:1 core:4 pu:2", cheap, {}, {3, 6, 7, 8, 9, 15}},
      {"mask-of-one-sibling-each", "pack:1 l3:1 core:4 pu:2", cheap, {}, {1, 3}},
      {"half-a-processor", "pack:1 l3:1 core:4 pu:1", cheap, 0.5},
      {"quota-of-two-and-a-half", "pack:1 l3:1 core:8 pu:2", cheap, 2.5, {}, wish(automatic, 0, 0)},
      {"quota-above-all", "pack:1 l3:1 core:4 pu:1", cheap, 16.0},
      {"server", "pack:2 numa:1 l3:1 core:8 pu:2", cheap},
      {"server-four-nodes", "pack:2 numa:2 core:16 pu:2"},
      {"many-caches", "pack:1 numa:1 l3:8 core:4 pu:2", cheap},
      {"eight-by-sixteen-by-two", "pack:8 numa:1 l3:1 core:16 pu:2", cheap},
      {"eight-siblings-a-core", "pack:1 numa:2 core:4 pu:8", cheap},
      {"siblings-numbered-apart", "pack:1 l3:1 core:4 pu:2(indexes=0,4,1,5,2,6,3,7)", cheap},
      {"hybrid", "hybrid-8-fast-8-slow.xml", cheap},
      {"hybrid-small", "hybrid-2-fast-2-slow.xml", cheap, {}, {}, wish(automatic, 0, 0)},
      {"hybrid-slow-cores-only", "hybrid-8-fast-8-slow.xml", cheap, {}, {16, 18, 20, 22}},
      {"three-kinds", "arm-three-kinds.xml", cheap},
      {"asymmetric-packages", "asymmetric-packages.xml", cheap},
      {"asymmetric-caches", "asymmetric-caches.xml", cheap},
      {"offline-siblings", "offline-siblings.xml", cheap},
      {"nothing-known", "flat 6", cheap},
      {"nothing-known-one-processor", "flat 1"},
  };
}

// As if only these were in the mask.
inline void restrict_to(Topology& topology, const std::vector<std::uint32_t>& allowed) {
  if (allowed.empty()) return;
  for (Topology::Core& core : topology.cores) {
    std::erase_if(core.processors, [&](std::uint32_t processor) {
      return !std::ranges::binary_search(allowed, processor);
    });
  }
  std::erase_if(topology.cores, [](const Topology::Core& core) { return core.processors.empty(); });
}

inline Topology topology_of(const Machine& machine) {
  Topology topology;
  if (machine.description.starts_with("flat ")) {
    const auto count = static_cast<std::uint32_t>(std::stoul(machine.description.substr(5)));
    topology = flat_topology(range(0, count - 1));
    topology.note = "hwloc is not installed";
  } else {
    std::string description = machine.description;
    if (description.ends_with(".xml")) {
      description.insert(0, ABUZZ_SOURCE_DIR "/tests/place/machines/");
    }
    Result<Topology> made = make_topology(description);
    topology = std::move(made).value();
  }
  topology.origin = machine.description;
  topology.quota = machine.quota;
  restrict_to(topology, machine.allowed);
  return topology;
}

inline std::optional<Measures> measures_of(const Machine& machine) {
  if (machine.wakes == Wakes::unmeasured) return std::nullopt;
  Measures measures;
  const bool is_dear = machine.wakes == Wakes::dear;
  measures.pairs.push_back({0, 1, is_dear ? 180.0 : 90.0, is_dear ? 44.0 : 7.5});
  measures.wake_same_us = 4;
  measures.timer_late_us = 60;
  measures.timer_late_most_us = 200;
  return measures;
}

inline Plan plan_of(const Machine& machine, const Topology& topology) {
  const std::optional<Measures> measures = measures_of(machine);
  return plan_threads(topology, measures ? &*measures : nullptr, machine.wishes);
}

}  // namespace abuzz::place::testing
