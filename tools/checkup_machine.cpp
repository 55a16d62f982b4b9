#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>

#include "bus/placement.hpp"
#include "tools/checkup.hpp"
#include "tools/command_line.hpp"

namespace abuzz::tools {
namespace {

using Grade = Finding::Grade;

// Descriptors that a process needs beside its links: libraries, logs, ZeroMQ's own.
constexpr std::uint64_t descriptors_beside = 64;
// A link of a node: its ZeroMQ socket, and the door.
constexpr std::uint64_t descriptors_a_link = 3;

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string first_line(const std::string& path) {
  const std::string text = read_text(path);
  return text.substr(0, text.find('\n'));
}

// The directory of this process's cgroup, version 2, from its own up to the root: the tightest of
// the limits on the way holds.
std::vector<std::string> cgroup_directories() {
  std::istringstream lines(read_text("/proc/self/cgroup"));
  std::string line, path;
  while (std::getline(lines, line)) {
    if (line.starts_with("0::")) path = line.substr(3);
  }
  std::vector<std::string> directories;
  while (!path.empty() && path != "/") {
    directories.push_back("/sys/fs/cgroup" + path);
    path.resize(path.rfind('/'));
  }
  directories.emplace_back("/sys/fs/cgroup");
  return directories;
}

std::optional<std::uint64_t> memory_limit() {
  std::optional<std::uint64_t> tightest;
  for (const std::string& directory : cgroup_directories()) {
    const auto bytes = parse_count(first_line(directory + "/memory.max"));
    if (bytes && (!tightest || *bytes < *tightest)) tightest = bytes;
  }
  return tightest;
}

}  // namespace

std::optional<std::uint64_t> parse_meminfo(std::string_view text, std::string_view field) {
  std::istringstream words{std::string(text)};
  std::string word;
  while (words >> word) {
    std::uint64_t kib = 0;
    if (word != std::string(field) + ":") continue;
    if (!(words >> kib)) return std::nullopt;
    return kib * 1024;
  }
  return std::nullopt;
}

Finding check_processors() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  const bool known = ::sched_getaffinity(0, sizeof allowed, &allowed) == 0;
  const long online = std::max(1l, ::sysconf(_SC_NPROCESSORS_ONLN));
  const long usable = known ? CPU_COUNT(&allowed) : online;
  const std::optional<double> quota = read_cpu_quota();
  Finding finding{Grade::good, "processors",
                  std::to_string(usable) + " of " + std::to_string(online) + " may be used", ""};
  std::array<char, 32> text{};
  if (quota) {
    std::snprintf(text.data(), text.size(), ", quota %.2g", *quota);
    finding.fact += text.data();
  }
  if (usable < 2) {
    finding.grade = Grade::doubtful;
    finding.advice = "With one processor it works, but publisher, node and subscriber take turns";
  }
  if (quota && *quota < static_cast<double>(usable)) {
    finding.grade = Grade::doubtful;
    finding.advice =
        "The cgroup's quota stops all threads at once when it is used up: raise it, or "
        "expect pauses";
  }
  return finding;
}

Finding check_memory(const Config& config) {
  const std::uint64_t budget = config.node.memory_budget_bytes;
  const auto available = parse_meminfo(read_text("/proc/meminfo"), "MemAvailable");
  if (!available) {
    return {Grade::doubtful, "memory", "/proc/meminfo cannot be read", "Mount /proc"};
  }
  const auto limit = memory_limit();
  const std::uint64_t usable = std::min(*available, limit.value_or(*available));
  Finding finding{Grade::good, "memory",
                  format_bytes(usable) + " available, the node may take " + format_bytes(budget),
                  ""};
  if (usable < budget) {
    finding.grade = Grade::doubtful;
    finding.advice = "Lower node.memory_budget, so that the node refuses before the system kills";
  }
  return finding;
}

Finding check_descriptors(const Config& config) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const std::uint64_t hard = limit.rlim_max == RLIM_INFINITY ? 1u << 30u : limit.rlim_max;
  const std::uint64_t all = config.node.links_max * descriptors_a_link + descriptors_beside;
  Finding finding{Grade::good, "descriptors",
                  format_count(hard) + " allowed, " + format_count(all) +
                      " for node.links_max = " + std::to_string(config.node.links_max),
                  ""};
  if (hard < descriptors_beside) {
    finding.grade = Grade::bad;
    finding.advice = "Raise the limit with `ulimit -n`, or LimitNOFILE= of the service";
  } else if (hard < all) {
    finding.grade = Grade::doubtful;
    finding.advice = "The node will refuse links when they run out: raise `ulimit -Hn`";
  }
  return finding;
}

Finding check_clock() {
  const std::string source =
      first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  timespec resolution{}, wall{};
  ::clock_getres(CLOCK_MONOTONIC, &resolution);
  ::clock_gettime(CLOCK_REALTIME, &wall);
  Finding finding{Grade::good, "clock", source.empty() ? "source unknown" : source, ""};
  constexpr std::array<std::string_view, 5> slow{"hpet", "acpi_pm", "jiffies", "refined-jiffies",
                                                 "pit"};
  if (std::find(slow.begin(), slow.end(), source) != slow.end()) {
    finding.grade = Grade::doubtful;
    finding.advice =
        "Reading this clock is a slow system call; latencies will be higher than needed";
  }
  if (resolution.tv_sec != 0 || resolution.tv_nsec > 1000) {
    finding.grade = Grade::doubtful;
    finding.advice = "The clock is coarser than a microsecond: do not trust latencies";
  }
  constexpr std::time_t year_2023 = 1'672'531'200;
  if (wall.tv_sec < year_2023) {
    finding.grade = Grade::doubtful;
    finding.advice = "The date is wrong: send times that people see will be, too";
  }
  return finding;
}

Finding check_program() {
  Finding finding{Grade::good, "program", "", ""};
  char* own = ::realpath("/proc/self/exe", nullptr);
  finding.fact = own != nullptr ? own : "unknown";
  std::free(own);
  const char* named = std::getenv("ABUZZ_NODE_BIN");
  if (named != nullptr) {
    finding.fact = std::string(named) + " (ABUZZ_NODE_BIN)";
    if (::access(named, X_OK) != 0) {
      finding.grade = Grade::bad;
      finding.advice = "ABUZZ_NODE_BIN names no program: correct it or unset it";
    }
    return finding;
  }
  const char* path = std::getenv("PATH");
  std::istringstream directories(path != nullptr ? path : "");
  std::string directory;
  while (std::getline(directories, directory, ':')) {
    if (::access((directory + "/abuzz").c_str(), X_OK) == 0) return finding;
  }
  finding.grade = Grade::doubtful;
  finding.advice = "`abuzz` is not on PATH: other programs need ABUZZ_NODE_BIN to start a node";
  return finding;
}

}  // namespace abuzz::tools
