#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bus/config.hpp"
#include "bus/error.hpp"
#include "bus/export.hpp"

// The machine as the bus sees it, what was measured on it, and where threads of the bus belong.
// Plain data, and functions that change nothing outside themselves unless they say so.
// Threads: any; values are the caller's own.
//
// A processor is what the kernel numbers and schedules on: a hardware thread. A core has one or
// more of them, its siblings.

namespace abuzz {

// What this process may use of a machine: nothing outside its own mask is in here.
struct Topology {
  struct Core {
    std::vector<std::uint32_t> processors;  // kernel's numbers, ascending, never empty
    // Numbers that tell groups apart; equal means shared.
    std::uint32_t package = 0;
    std::uint32_t numa = 0;
    std::uint32_t cache = 0;  // of the third level
    std::uint32_t kind = 0;   // 0 the slowest; below kind_count
  };

  std::string origin;              // "this machine", or the description that it was made from
  std::vector<Core> cores;         // by package, NUMA node, cache, then first processor
  std::uint32_t online_count = 0;  // processors of the machine that run, allowed or not
  std::uint32_t offline_count = 0;
  std::uint32_t kind_count = 1;  // over 1: cores differ in speed
  bool is_this_machine = false;  // its numbers may be pinned to
  bool knows_cores = false;      // otherwise each processor counts as a core
  bool knows_caches = false;     // otherwise each package counts as one cache
  bool knows_numa = false;
  std::optional<double> quota;  // of CPU time, in processors; nothing: no limit
  std::string note;             // what could not be read; empty: nothing

  std::size_t processor_count() const noexcept;
};

// This machine, as the calling thread may use it. Never fails: what cannot be read is left out, and
// `note` says so. Loads hwloc for the time of the call (some milliseconds).
// Requires: neither the caller nor the threads that it will plan for were pinned by a plan.
ABUZZ_EXPORT Topology read_topology();
// A machine that may not exist: "pack:2 numa:2 core:16 pu:2" as hwloc understands it, or the path
// of an XML file of hwloc (it has a '/' or ends in .xml). At most 4,096 processors.
// Error::bad_flag_value when it is none, or hwloc is not installed.
ABUZZ_EXPORT Result<Topology> make_topology(const std::string& description);

// CPU time that the cgroups of this process leave it, in processors: the tightest limit from its
// own group up, of version 1 and version 2. `root` stands before /proc and /sys.
ABUZZ_EXPORT std::optional<double> read_cpu_quota(const std::string& root = {});

// A tree for people: packages, NUMA nodes, caches, cores, processors.
ABUZZ_EXPORT std::string topology_text(const Topology& topology);

// What hwloc cannot say. Times of round trips, the median of many; 0: not measured.
struct Measures {
  struct Pair {
    std::uint32_t left = 0, right = 0;  // processors
    double line_ns = 0;                 // a cache line, there and back, both spinning
    double wake_us = 0;                 // a wake-up there and one back, both sleeping in between
  };
  std::vector<Pair> pairs;
  double wake_same_us = 0;        // the same on one processor
  double timer_late_us = 0;       // how late a sleeper of 100 us wakes up
  double timer_late_most_us = 0;  // the worst of them
  std::chrono::nanoseconds took{0};

  // The median over the pairs; 0: not measured.
  ABUZZ_EXPORT double wake_across_us() const;
};

// Measures this machine in under 100 ms, between at most eight of its processors: those stand for
// the rest. Threads of its own do it, and two of them spin. Requires: topology.is_this_machine.
ABUZZ_EXPORT Measures measure_machine(const Topology& topology);
// What was measured since the machine started, for the same processors; nothing: not yet.
ABUZZ_EXPORT std::optional<Measures> kept_measures(const Config& config, const Topology& topology);
// Keeps it in the runtime directory, which is made where it is missing; not what is incomplete,
// because there was no time for all of it.
ABUZZ_EXPORT Status keep_measures(const Config& config, const Topology& topology,
                                  const Measures& measures);
// Both matrices for people.
ABUZZ_EXPORT std::string measures_text(const Measures& measures);

// What a blocking exchange of two threads costs here, by where they run. Nothing is pinned but
// threads of its own.
struct MeetingMeasures {
  struct Spread {
    double least = 0, median = 0, most = 0;
  };
  std::uint32_t rounds = 0;           // of all three in turn, so that all meet the same machine
  std::uint32_t left = 0, right = 0;  // processors; both threads on `left`, or one on each
  Spread one_core_us, across_us, kernel_us;  // there and back
  Spread gain_one_core, gain_across;         // the kernel's time over this one, round by round
};

// Takes about a third of a second. On one processor only `one_core_us` is measured.
ABUZZ_EXPORT MeetingMeasures measure_meeting(const Topology& topology);

enum class PinWish : std::uint8_t { automatic, on, off };

// What place.pin says.
ABUZZ_EXPORT PinWish pin_wish(const Config& config) noexcept;

struct PlanWishes {
  PinWish pin = PinWish::automatic;
  std::uint32_t shards = 0;  // 0: as many as the machine has room for
  // Of one agent's pool; nothing: no pool, 0: as many as there is room for.
  std::optional<std::uint32_t> pool_workers;
  // Two shards, or two workers, may share a core. Otherwise there are never more than cores.
  bool may_share_cores = false;
};

struct PlannedThread {
  enum class Role : std::uint8_t { shard, io, door, worker };
  Role role = Role::shard;
  std::uint32_t index = 0;                // among those of its role
  std::vector<std::uint32_t> processors;  // where it belongs; one for shards and workers
  std::string reason;
  std::uint32_t cache = 0;  // of a shard or a worker, where it is pinned

  ABUZZ_EXPORT std::string name() const;  // "shard 0"
};

struct Plan {
  bool pins =
      false;  // otherwise the kernel chooses, and `processors` is only what pinning would do
  std::string pin_reason;
  std::uint32_t shard_count = 1;
  std::string shard_reason;
  std::uint32_t worker_count = 0;
  std::string worker_reason;
  std::vector<PlannedThread> threads;
  std::vector<std::uint32_t> left;  // processors that no shard and no worker gets
  std::string left_reason;
  std::string conversation;  // where two agents that wait for each other belong; empty: unknown
};

// A pure function: the same arguments make the same plan. Requires: topology.cores is not empty.
// `measures`: nullptr when nothing was measured.
ABUZZ_EXPORT Plan plan_threads(const Topology& topology, const Measures* measures,
                               const PlanWishes& wishes);
ABUZZ_EXPORT std::string plan_text(const Plan& plan);

}  // namespace abuzz
