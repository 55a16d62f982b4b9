#include "tools/counter_text.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include "bus/stats.hpp"
#include "tools/command_line.hpp"

namespace abuzz::tools {
namespace {

constexpr std::array<std::string_view, 4> policies{"lossless", "drop_new", "drop_old", "latest"};
constexpr std::array<std::string_view, 4> roles{"shard", "io", "door", "worker"};
constexpr std::array<std::string_view, 4> lanes{"control", "high", "normal", "bulk"};
constexpr std::array<std::string_view, 3> profiles{"eco", "balanced", "low_latency"};

template <std::size_t N>
std::string pick(const std::array<std::string_view, N>& names, std::uint64_t value) {
  return value < N ? std::string(names[value]) : std::to_string(value);
}

}  // namespace

std::string counter_text(std::string_view unit, std::uint64_t value, std::chrono::nanoseconds now) {
  if (unit == "bytes") return format_bytes(value);
  if (unit == "ns") return format_duration(std::chrono::nanoseconds(value));
  if (unit == "at ns") {
    if (value == 0) return "-";
    const std::chrono::nanoseconds age = now - std::chrono::nanoseconds(value);
    // Whoever wrote it may have been a little later than the clock was read.
    return format_duration(std::max(age, std::chrono::nanoseconds(0))) + " ago";
  }
  if (unit == "state") return peer_state_name(static_cast<PeerState>(value));
  if (unit == "policy") return policy_name(value);
  if (unit == "lane") return pick(lanes, value);
  if (unit == "role") return pick(roles, value);
  if (unit == "profile") return pick(profiles, value);
  if (unit == "yes or no") return value != 0 ? "yes" : "no";
  return format_count(value);
}

bool is_choice(std::string_view unit) noexcept {
  return unit == "state" || unit == "policy" || unit == "lane" || unit == "role" ||
         unit == "profile";
}

std::string policy_name(std::uint64_t value) {
  return pick(policies, value);
}

std::chrono::nanoseconds monotonic_now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace abuzz::tools
