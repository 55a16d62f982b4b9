#include "bench/role.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench/roles.hpp"
#include "bench/systems.hpp"
#include "bench/time.hpp"

namespace abuzz::bench {
namespace {

std::uint64_t cpu_used_ns() noexcept {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto ns = [](const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u +
           static_cast<std::uint64_t>(time.tv_usec) * 1'000u;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

std::uint64_t resident_highest_kib() noexcept {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss);
}

// Where they may run: "2 on 0-1", "1 on 0-1, 1 on 1".
std::string placement_of_threads() {
  std::map<std::string, int> threads;
  std::error_code ignored;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      constexpr std::string_view key = "Cpus_allowed_list:\t";
      if (line.starts_with(key)) ++threads[line.substr(key.size())];
    }
  }
  std::string text;
  for (const auto& [processors, count] : threads)
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " on " + processors;
  return text;
}

void write_line(const RoleReport& report) {
  std::string line = encode(report) + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = write(STDOUT_FILENO, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  return fault == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::string encode(const RoleOptions& options) {
  const nlohmann::json text = {{"system", options.system},       {"role", options.role},
                               {"directory", options.directory}, {"endpoint", options.endpoint},
                               {"bytes", options.bytes},         {"duration", options.duration_ns},
                               {"rate", options.rate},           {"source", options.source},
                               {"sources", options.sources},     {"sinks", options.sinks},
                               {"poll", options.is_polling},     {"lane", options.lane},
                               {"burst", options.burst},         {"load", options.load},
                               {"messages", options.messages},   {"spin", options.may_spin}};
  return text.dump();
}

bool decode(std::string_view text, RoleOptions& options) {
  const auto parsed = nlohmann::json::parse(text, nullptr, false);
  if (!parsed.is_object()) return false;
  try {
    options.system = parsed.at("system");
    options.role = parsed.at("role");
    options.directory = parsed.at("directory");
    options.endpoint = parsed.at("endpoint");
    options.bytes = parsed.at("bytes");
    options.duration_ns = parsed.at("duration");
    options.rate = parsed.at("rate");
    options.source = parsed.at("source");
    options.sources = parsed.at("sources");
    options.sinks = parsed.at("sinks");
    options.is_polling = parsed.at("poll");
    options.lane = parsed.at("lane");
    options.burst = parsed.at("burst");
    options.load = parsed.at("load");
    options.messages = parsed.at("messages");
    options.may_spin = parsed.at("spin");
  } catch (const nlohmann::json::exception&) {
    return false;
  }
  return !options.directory.empty();
}

std::string encode(const Totals& totals) {
  std::string line = "total";
  for (const std::uint64_t count : totals.of_source) line += " " + std::to_string(count);
  return line;
}

void RoleChannel::ready(std::string_view text) {
  RoleReport report;
  report.event = "ready";
  report.text = text;
  write_line(report);
  cpu_at_ready_ns_ = cpu_used_ns();
}

void RoleChannel::sent(std::uint64_t count) {
  RoleReport report;
  report.event = "sent";
  report.sent = count;
  write_line(report);
}

void RoleChannel::done(RoleReport report) {
  report.event = "done";
  if (report.cpu_ns == 0) report.cpu_ns = cpu_used_ns() - cpu_at_ready_ns_;
  if (report.placement.empty()) report.placement = placement_of_threads();
  report.resident_kib = std::max(report.resident_kib, resident_highest_kib());
  write_line(report);
}

void RoleChannel::failed(std::string_view text) {
  RoleReport report;
  report.event = "failed";
  report.text = text;
  write_line(report);
}

std::optional<std::string> RoleChannel::line(std::int64_t patience_ns) {
  while (true) {
    const std::size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      std::string found = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return found;
    }
    if (is_ended_) return std::nullopt;
    pollfd input{STDIN_FILENO, POLLIN, 0};
    const int timeout_ms = patience_ns < 0 ? -1 : static_cast<int>(patience_ns / millisecond_ns);
    const int count = poll(&input, 1, timeout_ms);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return std::nullopt;
    char bytes[256];
    const ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    if (got > 0) buffer_.append(bytes, static_cast<std::size_t>(got));
    if (got == 0 || (got < 0 && errno != EINTR)) is_ended_ = true;
  }
}

bool RoleChannel::await(std::string_view expected) {
  while (const auto found = line(-1)) {
    if (*found == expected) return true;
  }
  return false;
}

std::optional<Totals> RoleChannel::totals(std::int64_t patience_ns) {
  constexpr std::string_view word = "total ";
  const auto found = line(patience_ns);
  if (!found || !found->starts_with(word)) return std::nullopt;
  Totals totals;
  std::string_view rest = std::string_view(*found).substr(word.size());
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    std::uint64_t number = 0;
    if (!read_number(item, number)) return std::nullopt;
    totals.of_source.push_back(number);
  }
  return totals;
}

int run_role(const RoleOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_NAME, (options.system + "-" + options.role).c_str());  // for top and perf
  RoleChannel channel;
  const System* system = find_system(options.system);
  // Those that a system plays by itself.
  const auto own = system == nullptr            ? nullptr
                   : options.role == "hub"      ? system->hub
                   : options.role == "crowd"    ? system->crowd
                   : options.role == "lockstep" ? system->lockstep
                                                : nullptr;
  if (own != nullptr) return own(options, channel) ? 0 : 1;
  const RoleMain role = find_role(options.role);
  if (system == nullptr || role == nullptr) {
    channel.failed("no role " + options.system + " " + options.role);
    return 2;
  }
  const std::unique_ptr<Driver> driver = system->make_driver(options);
  return role(*driver, options, channel) ? 0 : 1;
}

}  // namespace abuzz::bench
