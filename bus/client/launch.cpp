#include "bus/client/launch.hpp"

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "bus/base/clock.hpp"
#include "bus/base/file_lock.hpp"
#include "bus/base/runtime_paths.hpp"
#include "bus/base/units.hpp"
#include "bus/client/spawn.hpp"
#include "bus/link/unix_door.hpp"

namespace abuzz::client {
namespace {

using base::millisecond;
using base::Nanos;
using base::RuntimePaths;

constexpr std::string_view program_name = "abuzz";
constexpr std::string_view directory_variable = "ABUZZ_NODE__RUNTIME_DIRECTORY=";
constexpr off_t log_bytes_max = 1 << 20;  // a longer one becomes node.log.1
// Those who wait for their turn look rarely, so that a hundred of them leave the CPUs to the node.
constexpr Nanos pause_min = 2 * millisecond;
constexpr Nanos pause_max = 20 * millisecond;
constexpr Nanos door_pause = 3 * millisecond;
// A node that ended at once may have found that another one was quicker.
constexpr Nanos grace_after_exit = 300 * millisecond;

Nanos now() noexcept {
  base::SystemClock clock;
  return clock.now();
}

void sleep_for(Nanos span) noexcept {
  if (span <= 0) return;
  const timespec time{static_cast<time_t>(span / base::second),
                      static_cast<long>(span % base::second)};
  nanosleep(&time, nullptr);
}

enum class Answer : std::uint8_t { yes, no, failed };

// Whether somebody listens at the door. A queue that is full is an answer too.
Answer try_door(const RuntimePaths& paths, Failure& failure) {
  Result<std::unique_ptr<link::DoorCall>> call = link::call_unix_door(paths.door);
  if (call.ok() || call.error() == Error::handshake_timeout) return Answer::yes;
  if (call.error() == Error::no_node) return Answer::no;
  failure = call.failure();
  return Answer::failed;
}

bool is_program(const std::string& path) noexcept {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         access(path.c_str(), X_OK) == 0;
}

// This program's own path if it is `abuzz`, empty otherwise.
std::string own_path() {
  char text[PATH_MAX];
  const ssize_t bytes = readlink("/proc/self/exe", text, sizeof text);
  if (bytes <= 0) return {};
  std::string path(text, static_cast<std::size_t>(bytes));
  const std::size_t name_at = path.rfind('/') + 1;
  if (std::string_view(path).substr(name_at) == program_name) return path;
  // Replaced by an update while it runs: the name still finds the new one, or the old one itself.
  const std::string deleted = std::string(program_name) + " (deleted)";
  if (path.substr(name_at) != deleted) return {};
  path.resize(name_at + program_name.size());
  return is_program(path) ? path : "/proc/self/exe";
}

// The last line that stands in the log behind `from`.
std::string last_line(const std::string& log, off_t from) {
  struct stat status;
  if (stat(log.c_str(), &status) != 0 || status.st_size <= from) return {};
  const auto bytes = static_cast<std::size_t>(std::min<off_t>(status.st_size - from, 4096));
  std::string text = base::read_small_file(log, bytes);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

off_t prepare_log(const RuntimePaths& paths) {
  struct stat status;
  if (stat(paths.log.c_str(), &status) != 0) return 0;
  if (status.st_size <= log_bytes_max) return status.st_size;
  rename(paths.log.c_str(), (paths.log + ".1").c_str());
  return 0;
}

SpawnOrder make_order(const std::string& program, const RuntimePaths& paths) {
  SpawnOrder order;
  order.program = program;
  order.arguments = {std::string(program_name), "node", "run", "--spawned"};
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with(directory_variable)) {
      order.environment.emplace_back(*entry);
    }
  }
  order.environment.push_back(std::string(directory_variable) + paths.directory);
  order.log = paths.log;
  return order;
}

// A descriptor that is readable when the process has ended; -1 where there is none.
class ProcessDescriptor {
 public:
  explicit ProcessDescriptor(pid_t pid) noexcept
      : fd_(pid > 0 ? static_cast<int>(syscall(SYS_pidfd_open, pid, 0)) : -1),
        has_ended_(pid > 0 && fd_ < 0 && errno == ESRCH) {}
  ~ProcessDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  ProcessDescriptor(const ProcessDescriptor&) = delete;
  ProcessDescriptor& operator=(const ProcessDescriptor&) = delete;

  // Waits for the end, at most `span`.
  bool has_ended_within(Nanos span) noexcept {
    if (has_ended_ || fd_ < 0) {
      sleep_for(span);
      return has_ended_;
    }
    pollfd descriptor{fd_, POLLIN, 0};
    has_ended_ = poll(&descriptor, 1, static_cast<int>(span / millisecond)) > 0;
    return has_ended_;
  }

 private:
  int fd_;
  bool has_ended_;
};

// Requires: the caller holds start.lock.
Status spawn_node(const RuntimePaths& paths, Nanos deadline) {
  Result<std::string> program = find_node_binary();
  if (!program.ok()) return program.failure();
  const off_t log_from = prepare_log(paths);
  Result<pid_t> pid = spawn_detached(make_order(program.value(), paths));
  if (!pid.ok()) return Failure{Error::node_start_failed, pid.failure().detail};
  ProcessDescriptor process(pid.value());
  for (bool has_ended = false;;) {
    Failure failure;
    const Answer answer = try_door(paths, failure);
    if (answer == Answer::yes) return Done{};
    if (answer == Answer::failed) return failure;
    if (now() >= deadline) {
      const std::string line = last_line(paths.log, log_from);
      const std::string why = has_ended ? "ended" : "did not open its door in time";
      return Failure{Error::node_start_failed,
                     program.value() + " " + why + (line.empty() ? "" : ": " + line)};
    }
    if (process.has_ended_within(door_pause) && !has_ended) {
      has_ended = true;
      const std::string line = last_line(paths.log, log_from);
      // Then the other one is still on its way to its door.
      const bool is_second = line.find(error_id(Error::node_already_running)) != line.npos;
      if (!is_second) deadline = std::min(deadline, now() + grace_after_exit);
    }
  }
}

Failure nobody_came(const RuntimePaths& paths, bool is_managed) {
  if (is_managed) {
    return {Error::no_node, paths.directory + " belongs to a managed node, which is not running"};
  }
  return {Error::node_start_failed, paths.start_lock + " was held by others all the time"};
}

Status start_node_until(const RuntimePaths& paths, Nanos deadline) {
  Status prepared = base::prepare_runtime_directory(paths);
  if (!prepared.ok()) return prepared;
  Result<base::FileLock> opened = base::FileLock::open(paths.start_lock);
  if (!opened.ok()) return opened.failure();
  base::FileLock lock = std::move(opened).value();
  for (Nanos pause = pause_min;; pause = std::min(pause * 3 / 2, pause_max)) {
    // The lock before the door: who holds it and finds the door shut knows that nobody else is at
    // it, and that no node is about to leave.
    const bool is_managed = base::is_managed_node_expected(paths);
    const bool is_starter = !is_managed && lock.try_take();
    Failure failure;
    const Answer answer = try_door(paths, failure);
    if (answer == Answer::yes) return Done{};
    if (answer == Answer::failed) return failure;
    if (is_starter) return spawn_node(paths, deadline);
    if (now() >= deadline) return nobody_came(paths, is_managed);
    sleep_for(std::min(pause, deadline - now()));
  }
}

}  // namespace

Result<std::string> find_node_binary() {
  if (const char* chosen = std::getenv("ABUZZ_NODE_BIN"); chosen != nullptr && *chosen != '\0') {
    if (is_program(chosen)) return std::string(chosen);
    return Failure{Error::node_binary_missing,
                   std::string("ABUZZ_NODE_BIN=") + chosen + " is no program"};
  }
  if (std::string own = own_path(); !own.empty()) return own;
  std::string looked = "looked at";
#ifdef ABUZZ_INSTALL_BINARY
  if (is_program(ABUZZ_INSTALL_BINARY)) return std::string(ABUZZ_INSTALL_BINARY);
  looked += " " ABUZZ_INSTALL_BINARY ",";
#endif
  const char* list = std::getenv("PATH");
  std::string_view folders = list != nullptr ? list : "";
  while (!folders.empty()) {
    const std::size_t end = std::min(folders.find(':'), folders.size());
    const std::string folder(folders.substr(0, end));
    folders.remove_prefix(std::min(end + 1, folders.size()));
    // A relative part of PATH would start whatever lies in the current directory.
    if (folder.empty() || folder.front() != '/') continue;
    std::string path = folder + "/" + std::string(program_name);
    if (is_program(path)) return path;
  }
  return Failure{Error::node_binary_missing,
                 looked + " ABUZZ_NODE_BIN (not set) and for `abuzz` in PATH=" +
                     (list != nullptr ? list : "")};
}

Status start_node(const Config& config, std::chrono::nanoseconds patience) {
  const Nanos deadline = now() + std::max<Nanos>(patience.count(), 0);
  return start_node_until(RuntimePaths(abuzz::runtime_directory(config)), deadline);
}

Status start_node(const Config& config) {
  return start_node(config, config.agent.connect_timeout);
}

}  // namespace abuzz::client
