#include "tools/node_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "tools/complaint.hpp"

namespace abuzz::tools {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds look_again_after{10};

// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void become_node(const char* program, int report) {
  ::setsid();
  sigset_t none;
  sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  const int nothing = ::open("/dev/null", O_RDWR);
  ::dup2(nothing, 0);
  ::dup2(report, 1);
  ::dup2(report, 2);
  ::close_range(3, ~0u, 0);
  char* const words[] = {const_cast<char*>("abuzz"), const_cast<char*>("node"),
                         const_cast<char*>("run"), const_cast<char*>("--spawned"), nullptr};
  ::execv(program, words);
  ::_exit(127);
}

// What /proc/PID/stat says from its third field on; empty without such a process. The second one is
// the program's name in brackets and may hold anything, also brackets.
std::string read_process_stat(std::uint32_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return {};
  const std::size_t name_end = line.rfind(')');
  return name_end == std::string::npos ? std::string() : line.substr(name_end + 1);
}

// Everything that the node says until it closes its end: when it is ready, or dead.
std::string read_report(int report, steady_clock::time_point deadline) {
  std::string said;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now());
    pollfd wanted{report, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&wanted, 1, static_cast<int>(left.count())) <= 0) break;
    std::array<char, 1024> bytes{};
    const ssize_t taken = ::read(report, bytes.data(), bytes.size());
    if (taken <= 0) break;
    said.append(bytes.data(), static_cast<std::size_t>(taken));
  }
  while (!said.empty() && said.back() == '\n') said.pop_back();
  return said;
}

}  // namespace

NodePlace node_place(const Config& config) {
  return place_in(runtime_directory(config));
}

NodePlace place_in(const std::string& directory) {
  return {directory,
          directory + "/node.lock",
          directory + "/door",
          directory + "/node.counters",
          directory + "/agents",
          directory + "/node.log"};
}

std::string directory_fault(const struct stat& facts) {
  if (S_ISLNK(facts.st_mode)) return "is a symbolic link";
  if (!S_ISDIR(facts.st_mode)) return "is not a directory";
  if (facts.st_uid != ::geteuid()) return "belongs to user " + std::to_string(facts.st_uid);
  if ((facts.st_mode & 077u) != 0) return "is open to other users (it must be mode 0700)";
  return {};
}

std::uint64_t process_start_ticks(std::uint32_t pid) {
  std::istringstream fields(read_process_stat(pid));
  std::string state, skipped;
  fields >> state;
  if (state.empty() || state == "Z" || state == "X") return 0;
  for (int field = 4; field < 22; ++field) fields >> skipped;
  std::uint64_t ticks = 0;
  fields >> ticks;
  return ticks;
}

bool is_process_stopped(std::uint32_t pid) {
  std::istringstream fields(read_process_stat(pid));
  std::string state;
  fields >> state;
  return state == "T" || state == "t";
}

bool is_same_process(std::uint32_t pid, std::uint64_t start_ticks) {
  return pid != 0 && start_ticks != 0 && process_start_ticks(pid) == start_ticks;
}

bool is_lock_held(const std::string& path) {
  const int lock = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (lock < 0) return false;
  const bool held = ::flock(lock, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(lock);
  return held;
}

Result<StatsSnapshot> read_living_node(const NodePlace& place) {
  struct stat facts {};
  if (::lstat(place.directory.c_str(), &facts) == 0) {
    if (const std::string fault = directory_fault(facts); !fault.empty())
      return Failure{Error::runtime_directory_unsafe, place.directory + " " + fault};
  }
  Result<StatsSnapshot> stats = read_stats(place.counters);
  // The process first: the lock is only tried where somebody should hold it, so a node that is just
  // starting never finds it taken by us.
  if (!stats.ok() || stats.value().rows.empty() ||
      !is_same_process(stats.value().pid, stats.value().start_ticks) || !is_lock_held(place.lock)) {
    return Failure{Error::no_node, place.directory};
  }
  return stats;
}

void tell_if_stopped(const StatsSnapshot& node) {
  if (!is_process_stopped(node.pid)) return;
  const std::string pid = std::to_string(node.pid);
  tell("the node is stopped by a signal (pid " + pid + ", `kill -CONT " + pid +
       "` lets it go on): this is how it was then");
}

bool is_node_ready(const NodePlace& place) {
  Result<StatsSnapshot> stats = read_living_node(place);
  if (!stats.ok()) return false;
  const auto state = static_cast<PeerState>(stats.value().rows.front().get(ProcessCounter::state));
  return state != PeerState::none && state != PeerState::starting;
}

Status spawn_node(const NodePlace& place, std::chrono::nanoseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  char* program = ::realpath("/proc/self/exe", nullptr);
  int report[2] = {-1, -1};
  if (program == nullptr || ::pipe2(report, O_CLOEXEC) != 0) {
    std::free(program);
    return Failure{Error::system, std::string("starting a node: ") + std::strerror(errno)};
  }
  const pid_t child = ::fork();
  if (child == 0) become_node(program, report[1]);
  const int fork_fault = errno;
  ::close(report[1]);
  std::free(program);
  if (child < 0) {
    ::close(report[0]);
    return Failure{Error::system, std::string("fork: ") + std::strerror(fork_fault)};
  }
  const std::string said = read_report(report[0], deadline);
  ::close(report[0]);
  while (!is_node_ready(place)) {
    int how = 0;
    const bool ended = ::waitpid(child, &how, WNOHANG) == child;
    // Another one may have won the race: then ours has ended and the winner is on its way.
    const bool lost_race = ended && is_lock_held(place.lock);
    if ((ended && !lost_race) || steady_clock::now() >= deadline) {
      return Failure{Error::node_start_failed, said.empty() ? place.log : said};
    }
    std::this_thread::sleep_for(look_again_after);
  }
  return Done{};
}

bool wait_for_end(std::uint32_t pid, std::uint64_t start_ticks, std::chrono::nanoseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  while (is_same_process(pid, start_ticks)) {
    if (steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(look_again_after);
  }
  return true;
}

Result<StatsSnapshot> wait_for_counters(const NodePlace& place, std::chrono::nanoseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  for (;;) {
    Result<StatsSnapshot> stats = read_living_node(place);
    if (stats.ok() || steady_clock::now() >= deadline || !is_lock_held(place.lock)) return stats;
    std::this_thread::sleep_for(look_again_after);
  }
}

}  // namespace abuzz::tools
