#include "bench/environment.hpp"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string_view>

#include "bench/histogram.hpp"
#include "bench/peers/zmq_socket.hpp"
#include "bench/time.hpp"
#include "bus/config.hpp"
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

// How threads wait for work: told also where it is the default.
constexpr std::string_view waiting_key = "place.waiting";

// Of the environment, in which the flags were left.
std::string settings_text() {
  const char* file = std::getenv("ABUZZ_CONFIG");
  auto loaded = load_config(file == nullptr ? "" : file);
  if (!loaded) return "none";
  std::string text;
  for (const ConfigOrigin& origin : loaded.value().origins)
    if (origin.key == waiting_key ||
        (origin.origin != "default" && origin.key != "node.runtime_directory"))
      text += (text.empty() ? "" : " ") + origin.key + "=" + origin.value;
  return text.empty() ? "default" : text;
}

std::string zmq_library() {
  int major = 0, minor = 0, patch = 0;
  zmq_version(&major, &minor, &patch);
  return "libzmq " + std::to_string(major) + "." + std::to_string(minor) + "." +
         std::to_string(patch);
}

// What the machine does to a thread that only sleeps, with exact timers: by how much it comes too
// late.
void measure_hiccups(Environment& environment) {
  constexpr int naps = 4000;
  constexpr std::int64_t nap_ns = 200'000;
  const int slack_before = prctl(PR_GET_TIMERSLACK, 0ul, 0ul, 0ul, 0ul);
  (void)prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
  Histogram late;
  for (int nap = 0; nap < naps; ++nap) {
    const std::int64_t wake_ns = now_ns() + nap_ns;
    const timespec wake{static_cast<time_t>(wake_ns / second_ns), wake_ns % second_ns};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, nullptr);
    late.record(now_ns() - wake_ns);
  }
  if (slack_before > 0)
    (void)prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(slack_before), 0ul, 0ul, 0ul);
  environment.hiccup_p50_ns = late.at(0.5);
  environment.hiccup_p999_ns = late.at(0.999);
  environment.hiccup_max_ns = late.max();
}

std::string hiccup_text(const Environment& environment) {
  char buffer[96];
  std::snprintf(buffer, sizeof buffer, "idle wake-ups late by p50 %.0f, p99.9 %.0f, max %.0f us",
                static_cast<double>(environment.hiccup_p50_ns) / 1e3,
                static_cast<double>(environment.hiccup_p999_ns) / 1e3,
                static_cast<double>(environment.hiccup_max_ns) / 1e3);
  return buffer;
}

}  // namespace

std::string Environment::line() const {
  return version + " · " + processor + " · " + std::to_string(cores_allowed) +
         (cores_allowed == 1 ? " core" : " cores") + " allowed, quota " + quota + " · " + kernel +
         " · clock " + clock + " · " + hiccup_text(*this) + " · config: " + settings;
}

std::string fingerprint_of(const Environment& environment) {
  return environment.version + " · " + environment.processor + " · " + environment.kernel;
}

Environment read_environment() {
  Environment environment;
  environment.version =
      std::string("abuzz " ABUZZ_VERSION " (" ABUZZ_BUILD_TYPE "), ") + zmq_library();
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
  environment.settings = settings_text();
  measure_hiccups(environment);
  return environment;
}

}  // namespace abuzz::bench
