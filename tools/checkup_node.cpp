#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "bus/agent.hpp"
#include "bus/stats.hpp"
#include "tools/checkup.hpp"
#include "tools/command_line.hpp"
#include "tools/node_process.hpp"
#include "tools/node_view.hpp"

namespace abuzz::tools {
namespace {

using Grade = Finding::Grade;

// A socket's address has 107 bytes for its path; the names inside the directory take some of them.
constexpr std::size_t socket_path_bytes_max = 107;
constexpr std::size_t socket_name_bytes = 16;
// What counters and sockets of a busy node may need.
constexpr std::uint64_t room_bytes_min = 64u << 20u;

Finding check_room(const std::string& directory) {
  struct statvfs facts {};
  if (::statvfs(directory.c_str(), &facts) != 0) {
    return {Grade::doubtful, "room", directory + ": " + std::strerror(errno), "Check the path"};
  }
  const std::uint64_t bytes = facts.f_bavail * facts.f_frsize;
  Finding finding{Grade::good, "room", format_bytes(bytes) + " free for counters", ""};
  if (bytes < room_bytes_min) {
    finding.grade = Grade::doubtful;
    finding.advice =
        "Counters of new agents may find no room: free some, or choose another "
        "node.runtime_directory";
  }
  return finding;
}

Finding judge_directory(const std::string& directory, const struct stat& facts) {
  const auto bad = [&](const std::string& what) {
    return Finding{Grade::bad, "runtime directory", directory + " " + what,
                   "Remove it, or choose another node.runtime_directory"};
  };
  if (const std::string fault = directory_fault(facts); !fault.empty()) return bad(fault);
  if (::access(directory.c_str(), R_OK | W_OK | X_OK) != 0) return bad("is not writable");
  return {Grade::good, "runtime directory", directory, ""};
}

// How many of the agents' counter files belong to processes that are gone.
std::size_t count_stale(const NodePlace& place) {
  std::size_t count = 0;
  std::error_code fault;
  for (const auto& entry : std::filesystem::directory_iterator(place.agents, fault)) {
    if (entry.path().extension() != ".counters") continue;
    Result<StatsSnapshot> stats = read_stats(entry.path().string());
    const bool lives = stats.ok() && is_same_process(stats.value().pid, stats.value().start_ticks);
    if (!lives) ++count;
  }
  return count;
}

}  // namespace

std::vector<Finding> check_runtime_directory(const Config& config) {
  const std::string directory = runtime_directory(config);
  if (directory.size() + socket_name_bytes > socket_path_bytes_max) {
    return {{Grade::bad, "runtime directory", directory + " is too long for a socket's path",
             "Choose a shorter node.runtime_directory, or set XDG_RUNTIME_DIR"}};
  }
  struct stat facts {};
  if (::lstat(directory.c_str(), &facts) == 0) {
    return {judge_directory(directory, facts), check_room(directory)};
  }
  const std::string parent = std::filesystem::path(directory).parent_path().string();
  if (errno == ENOENT && ::access(parent.c_str(), W_OK | X_OK) == 0) {
    return {{Grade::good, "runtime directory", directory + " (made on first use)", ""},
            check_room(parent)};
  }
  return {{Grade::bad, "runtime directory",
           directory + " cannot be made: " + parent + ": " + std::strerror(errno),
           "Choose another node.runtime_directory, or set XDG_RUNTIME_DIR"}};
}

Finding check_leftovers(const Config& config) {
  const NodePlace place = node_place(config);
  const std::size_t stale = count_stale(place);
  const bool lives = read_living_node(place).ok();
  const bool door_is_stale = !lives && ::access(place.door.c_str(), F_OK) == 0;
  if (stale == 0 && !door_is_stale) return {Grade::good, "leftovers", "none", ""};
  std::string fact = format_plural(stale, "counter file", "counter files") + " of dead agents";
  if (door_is_stale) fact += ", the door of a dead node";
  return {Grade::good, "leftovers", fact + "; the next node clears them", ""};
}

Finding check_node(const Config& config) {
  const NodePlace place = node_place(config);
  Result<StatsSnapshot> stats = read_living_node(place);
  if (!stats.ok()) return {Grade::good, "node", "none runs; it starts on first use", ""};
  const std::string who = "pid " + std::to_string(stats.value().pid);
  Config patient = config;
  patient.agent.start_node = false;
  patient.agent.connect_timeout = std::chrono::milliseconds(2000);
  const Result<Agent> agent = Agent::connect({.name = "", .kind = "doctor"}, patient);
  if (agent.ok()) {
    const auto up = format_duration(age_of_process(stats.value()));
    return {Grade::good, "node", "answers, " + who + ", up " + up, ""};
  }
  return {Grade::bad, "node", who + " does not let an agent in: " + agent.failure().message(),
          "`abuzz node status` shows its state; `abuzz node stop` ends it"};
}

std::vector<Finding> check_machine(const Config& config) {
  std::vector<Finding> findings{check_processors(), check_memory(config), check_descriptors(config),
                                check_clock(), check_program()};
  std::vector<Finding> directory = check_runtime_directory(config);
  const bool directory_is_usable = directory.front().grade != Grade::bad;
  findings.insert(findings.end(), directory.begin(), directory.end());
  if (directory_is_usable) {
    findings.push_back(check_leftovers(config));
    findings.push_back(check_node(config));
  }
  return findings;
}

}  // namespace abuzz::tools
