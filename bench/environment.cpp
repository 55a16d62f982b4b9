#include "bench/environment.hpp"

#include <sched.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <optional>

#include "bench/systems.hpp"
#include "bench/time.hpp"
#include "bus/placement.hpp"

namespace abuzz::bench {
namespace {

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown processor";
}

std::string quota_text() {
  const std::optional<double> quota = read_cpu_quota();
  if (!quota) return "none";
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.2f cores", *quota);
  return buffer;
}

std::string clock_text() {
  // The least of some rounds: others may run in between.
  constexpr int rounds = 20, reads = 1000;
  std::int64_t least = second_ns;
  for (int round = 0; round < rounds; ++round) {
    const std::int64_t start = now_ns();
    std::int64_t end = start;
    for (int i = 0; i < reads; ++i) end = now_ns();
    least = std::min(least, (end - start) / reads);
  }
  const std::string source =
      first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  return "monotonic (" + (source.empty() ? "unknown source" : source) + "), read in " +
         std::to_string(least) + " ns";
}

}  // namespace

std::string Environment::line() const {
  return version + " · " + processor + " · " + std::to_string(cores_allowed) +
         (cores_allowed == 1 ? " core" : " cores") + " allowed, quota " + quota + " · " + kernel +
         " · clock " + clock;
}

Environment read_environment() {
  Environment environment;
  environment.version = std::string("abuzz " ABUZZ_VERSION ", ") + zmq_library();
  environment.processor = processor_name();
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    environment.cores_allowed = static_cast<unsigned>(CPU_COUNT(&allowed));
  }
  environment.quota = quota_text();
  utsname name{};
  uname(&name);
  environment.kernel = std::string(name.sysname) + " " + name.release;
  environment.clock = clock_text();
  return environment;
}

}  // namespace abuzz::bench
