#include "bus/node/runtime_directory.hpp"

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include "bus/link/unix_door.hpp"
#include "bus/node/process_watch.hpp"
#include "bus/stats.hpp"

namespace abuzz::node {
namespace {

// A node that was killed keeps its lock until the kernel has taken it apart.
constexpr int lock_attempts_max = 200;
constexpr long lock_attempt_ns = 5'000'000;
// A counter file that cannot be read may be under construction; an old one is rubbish.
constexpr std::int64_t unreadable_seconds_max = 60;

std::vector<std::string> list_names(const std::string& directory) {
  std::vector<std::string> names;
  DIR* stream = opendir(directory.c_str());
  if (stream == nullptr) return names;
  while (const dirent* entry = readdir(stream)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  closedir(stream);
  return names;
}

bool is_shard_socket(std::string_view name) noexcept {
  return name.starts_with("shard-") && name.ends_with(".ipc");
}

// Agents outlive nodes: the files of those that are alive stay.
bool is_rubbish(const std::string& counter_file) {
  Result<StatsSnapshot> snapshot = read_stats(counter_file);
  if (snapshot.ok()) {
    return !is_process_alive(snapshot.value().pid, snapshot.value().start_ticks);
  }
  struct stat status;
  if (lstat(counter_file.c_str(), &status) != 0) return false;
  return time(nullptr) - status.st_mtime > unreadable_seconds_max;
}

}  // namespace

Result<RuntimeDirectory> RuntimeDirectory::occupy(const std::string& directory, bool managed) {
  RuntimeDirectory occupied(directory);
  Status prepared = base::prepare_runtime_directory(occupied.paths_);
  if (!prepared.ok()) return prepared.failure();
  Status locked = occupied.take_lock();
  if (!locked.ok()) return locked.failure();
  occupied.read_earlier_counters();
  Status cleared = occupied.clear_remains();
  if (!cleared.ok()) return cleared.failure();
  Result<NodeIdentity> identity = begin_node_life(occupied.paths_.state, managed);
  if (!identity.ok()) return identity.failure();
  occupied.identity_ = identity.value();
  return Result<RuntimeDirectory>(std::move(occupied));
}

std::string RuntimeDirectory::shard_endpoint(std::uint32_t index) const {
  return "ipc://" + paths_.shard_socket(identity_.node_epoch, index);
}

Status RuntimeDirectory::take_lock() {
  Result<base::FileLock> lock = base::FileLock::open(paths_.node_lock);
  if (!lock.ok()) return lock.failure();
  lock_ = std::move(lock).value();
  for (int attempt = 0; !lock_.try_take(); ++attempt) {
    if (attempt == lock_attempts_max || link::call_unix_door(paths_.door).ok()) {
      std::string holder = base::read_small_file(paths_.node_lock, 64);
      while (!holder.empty() && holder.back() == '\n') holder.pop_back();
      return Failure{Error::node_already_running, paths_.directory + " is held by " + holder};
    }
    const timespec pause{0, lock_attempt_ns};
    nanosleep(&pause, nullptr);
  }
  lock_.write_note("pid " + std::to_string(getpid()) + "\n");
  return Done{};
}

// Requires: the node that wrote its counters has ended.
void RuntimeDirectory::read_earlier_counters() {
  Result<StatsSnapshot> earlier = read_stats(paths_.counters);
  if (!earlier.ok()) return;
  owed_ = delivery::read_owed(earlier.value());
  std::erase_if(owed_, [](const delivery::Owed& owed) {
    return owed.pid != 0 && !is_process_alive(owed.pid, owed.start_ticks);
  });
}

Status RuntimeDirectory::clear_remains() {
  unlink(paths_.door.c_str());
  unlink(paths_.counters.c_str());
  remove_shard_sockets();
  if (mkdir(paths_.agents.c_str(), 0700) != 0 && errno != EEXIST) {
    return base::path_failure("mkdir", paths_.agents, errno);
  }
  for (const std::string& name : list_names(paths_.agents)) {
    const std::string file = paths_.agents + "/" + name;
    if (is_rubbish(file)) unlink(file.c_str());
  }
  return Done{};
}

void RuntimeDirectory::remove_shard_sockets() const {
  for (const std::string& name : list_names(paths_.directory)) {
    if (is_shard_socket(name)) unlink((paths_.directory + "/" + name).c_str());
  }
}

void RuntimeDirectory::vacate() noexcept {
  if (!lock_.is_held()) return;
  // Another node's, if ours was removed while we ran.
  if (lock_.is_at(paths_.node_lock)) {
    unlink(paths_.door.c_str());
    unlink(paths_.counters.c_str());
    remove_shard_sockets();
  }
  lock_.close();
}

}  // namespace abuzz::node
