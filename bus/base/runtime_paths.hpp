#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "bus/error.hpp"

// What a node and its agents must agree on before they can talk: where things lie in the runtime
// directory, and whether that directory may be trusted.

namespace abuzz::base {

inline constexpr std::size_t socket_path_bytes_max =
    107;  // of sockaddr_un::sun_path, less its zero

// The names in one runtime directory. A relative directory is taken from the current one, once.
struct RuntimePaths {
  explicit RuntimePaths(std::string_view runtime_directory);

  std::string directory;
  std::string node_lock;   // held by the node as long as it lives
  std::string start_lock;  // held by who starts a node, and by a node that leaves
  std::string door;
  std::string state;     // of the node, over its restarts; 0600
  std::string counters;  // of the node
  std::string log;       // what a node that was started by an agent prints
  std::string agents;    // the agents' counter files, one each
  std::string measures;  // of this machine, while it is up

  std::string shard_socket(std::uint32_t node_epoch, std::uint32_t index) const;
};

// Creates the directory where it is missing, 0700, but never its parents: Error::system where they
// are missing. Refuses one that others could read or write, or that is itself a symbolic link:
// Error::runtime_directory_unsafe. Refuses one whose sockets would have names that are too long:
// Error::path_too_long.
Status prepare_runtime_directory(const RuntimePaths& paths);
// The same without creating anything: Error::no_node where there is no directory.
Status check_runtime_directory(const RuntimePaths& paths);

// A line of the state file of a node that was started with `managed`. It stays when that node ends:
// between two lives of a service agents wait, instead of starting a node that would be in its way.
inline constexpr std::string_view managed_line = "managed 1";
bool is_managed_node_expected(const RuntimePaths& paths);

// "open /run/user/1000/abuzz/door: Permission denied", with the Error that fits the cause.
Failure path_failure(const char* call, const std::string& path, int error_number);

// The last `bytes_max` bytes of a file.
// Empty when it cannot be read, or is no regular file of this user.
std::string read_small_file(const std::string& path, std::size_t bytes_max);

// Leaves the old file or the new one, 0600, never a part: written beside it, made durable, renamed.
// Requires: one writer at a time.
Status replace_small_file(const std::string& path, std::string_view text);

}  // namespace abuzz::base
