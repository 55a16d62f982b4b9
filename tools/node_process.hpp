#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "bus/config.hpp"
#include "bus/error.hpp"
#include "bus/stats.hpp"

// The node as a process seen from outside: is there one, which, and starting or ending it.

namespace abuzz::tools {

// The files of a runtime directory.
struct NodePlace {
  std::string directory;
  std::string lock;      // flock held by the node for life
  std::string door;      // its AF_UNIX socket
  std::string counters;  // its stats file
  std::string agents;    // directory of the agents' stats files
  std::string log;       // stderr of a node that nobody watches
};
NodePlace node_place(const Config& config);
NodePlace place_in(const std::string& directory);

// Why a directory is not one to trust, as `lstat` has it: "is a symbolic link"; empty if it is.
std::string directory_fault(const struct stat& facts);

// Clock ticks since boot at which the process started; 0 if there is none, or only its zombie. With
// the pid it names one process for ever.
std::uint64_t process_start_ticks(std::uint32_t pid);
bool is_same_process(std::uint32_t pid, std::uint64_t start_ticks);
// Whether a signal such as SIGSTOP has stopped it.
bool is_process_stopped(std::uint32_t pid);
// Whether some process holds the lock. Takes it shared for a moment where nobody does.
bool is_lock_held(const std::string& path);

// The counters of the node that lives in this place; Error::no_node without one. A node that is
// dead, or does not hold its lock, does not count. Error::runtime_directory_unsafe where others may
// have written them.
Result<StatsSnapshot> read_living_node(const NodePlace& place);
// Says on stderr that what is shown is of before, where a signal has stopped the node.
void tell_if_stopped(const StatsSnapshot& node);
// There is a node, and it also takes agents: its state is past `starting`.
bool is_node_ready(const NodePlace& place);

// Starts `abuzz node run --spawned` from this very program, detached: own session, stdio away, no
// descriptor of ours. Returns when it answers agents or failed; what it said is in the detail.
Status spawn_node(const NodePlace& place, std::chrono::nanoseconds patience);

// Waits until the process has ended. Not for the lock: the next node may hold it at once.
bool wait_for_end(std::uint32_t pid, std::uint64_t start_ticks, std::chrono::nanoseconds patience);
// Waits for a node that holds its lock but has no counters yet: it is just starting, or ending.
Result<StatsSnapshot> wait_for_counters(const NodePlace& place, std::chrono::nanoseconds patience);

}  // namespace abuzz::tools
