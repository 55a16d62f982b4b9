#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bus/base/file_lock.hpp"
#include "bus/base/runtime_paths.hpp"
#include "bus/delivery/returns.hpp"
#include "bus/error.hpp"
#include "bus/node/state_file.hpp"

namespace abuzz::node {

// The runtime directory as the node that lives in it sees it: locked for as long as this object
// does, cleared of what an earlier node and dead agents left. Threads: one.
class RuntimeDirectory {
 public:
  // Creates and checks the directory, takes node.lock, begins a new life of the node.
  // Error::node_already_running when another one is there; one that is about to be gone is waited
  // for, up to a second.
  static Result<RuntimeDirectory> occupy(const std::string& directory, bool managed);

  RuntimeDirectory(RuntimeDirectory&&) noexcept = default;
  RuntimeDirectory& operator=(RuntimeDirectory&&) noexcept = default;

  const base::RuntimePaths& paths() const noexcept { return paths_; }
  const NodeIdentity& identity() const noexcept { return identity_; }
  std::string shard_endpoint(std::uint32_t index) const;

  // What the node before this one owed to agents that live, as far as its counters tell. Once.
  std::vector<delivery::Owed> take_owed() noexcept { return std::move(owed_); }

  // Removes door, sockets and counters, then lets go of the lock. Nothing must use them any more.
  void vacate() noexcept;

 private:
  explicit RuntimeDirectory(const std::string& directory) : paths_(directory) {}

  Status take_lock();
  void read_earlier_counters();
  Status clear_remains();
  void remove_shard_sockets() const;

  base::RuntimePaths paths_;
  base::FileLock lock_;
  NodeIdentity identity_;
  std::vector<delivery::Owed> owed_;
};

}  // namespace abuzz::node
