#include "bench/peers/server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "bench/child.hpp"
#include "bench/time.hpp"

namespace abuzz::bench {
namespace {

constexpr std::int64_t start_patience_ns = 10 * second_ns;

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string rest = std::string(path == nullptr ? "" : path) + ":/usr/sbin:/usr/bin";
  while (!rest.empty()) {
    const std::string folder = rest.substr(0, rest.find(':'));
    rest.erase(0, std::min(rest.size(), folder.size() + 1));
    const std::string candidate = folder + "/" + name;
    if (!folder.empty() && access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

bool takes_connections(const ServerPlan& plan) {
  const bool is_file = !plan.socket_path.empty();
  const int fd = socket(is_file ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  int failed = 0;
  if (is_file) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    plan.socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
    failed = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } else {
    const sockaddr_in address = loopback(plan.port);
    failed = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  close(fd);
  return failed == 0;
}

// Time on a core, of all its threads that are still there.
std::uint64_t cpu_used_ns(pid_t pid) {
  std::uint64_t sum = 0;
  std::error_code ignored;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks, ignored)) {
    std::uint64_t ns = 0;
    if (std::ifstream(task.path() / "schedstat") >> ns) sum += ns;
  }
  return sum;
}

std::uint64_t resident_highest_kib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string word;
  std::uint64_t kib = 0;
  while (status >> word)
    if (word == "VmHWM:") status >> kib;
  return kib;
}

// The server, and the last that it said: where it fails, that is why.
class Server {
 public:
  explicit Server(Child&& child) : child_(std::move(child)) {}

  pid_t pid() const noexcept { return child_.pid(); }
  // Reads what it says, so that nothing stands in its way.
  void listen() {
    child_.read_output();
    for (std::string line; child_.take_line(line);)
      if (!line.empty()) last_line_ = line;
  }
  bool has_ended() {
    pollfd ended{child_.end_fd(), POLLIN, 0};
    return poll(&ended, 1, 0) > 0;
  }
  std::string fault(const std::string& what) {
    listen();
    return what + (last_line_.empty() ? "" : ": " + last_line_);
  }
  // In its own way, if it does not take long.
  void stop() {
    child_.signal(SIGTERM);
    pollfd ended{child_.end_fd(), POLLIN, 0};
    poll(&ended, 1, stop_patience_ms);
  }

 private:
  static constexpr int stop_patience_ms = 500;

  Child child_;
  std::string last_line_;
};

// That something takes connections there is not enough: it must be ours that lives.
bool await_start(Server& server, const ServerPlan& plan, RoleChannel& channel) {
  const std::int64_t deadline_ns = now_ns() + start_patience_ns;
  while (true) {
    server.listen();
    const bool has_ended = server.has_ended();
    if (!has_ended && takes_connections(plan)) return true;
    if (!has_ended && now_ns() < deadline_ns && !channel.line(5 * millisecond_ns) &&
        !channel.is_ended())
      continue;
    channel.failed(server.fault(plan.program + (has_ended ? " ended" : " takes no connections")));
    return false;
  }
}

}  // namespace

int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t bytes = sizeof address;
  const bool is_bound = fd >= 0 &&
                        bind(fd, reinterpret_cast<const sockaddr*>(&address), bytes) == 0 &&
                        getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes) == 0;
  if (fd >= 0) close(fd);
  return is_bound ? ntohs(address.sin_port) : 0;
}

std::string program_version(const std::string& name, const std::string& argument) {
  const std::string program = find_program(name);
  if (program.empty()) return name + " (not installed)";
  const std::string line = first_line_of(program, argument);
  const std::size_t digit = line.find_first_of("0123456789");
  const std::size_t end = digit == line.npos ? line.npos : line.find_first_of(" ,;", digit);
  return name + " " + (digit == line.npos ? "?" : line.substr(digit, end - digit));
}

std::string write_config(const RoleOptions& options, const std::string& name,
                         const std::string& text) {
  std::string path = options.directory + "/" + name;
  std::ofstream(path) << text;
  return path;
}

bool run_server(const ServerPlan& plan, RoleChannel& channel) {
  const std::string program = find_program(plan.program);
  if (program.empty()) {
    channel.failed(plan.program + " is not installed");
    return false;
  }
  if (plan.socket_path.empty() && plan.port == 0) {
    channel.failed("no port of 127.0.0.1 is free");
    return false;
  }
  auto child = Child::spawn({plan.program, program, plan.arguments, {}, true});
  if (!child) {
    channel.failed(child.failure().message());
    return false;
  }
  Server server(std::move(child).value());
  if (!await_start(server, plan, channel)) return false;
  const std::uint64_t used_ns = cpu_used_ns(server.pid());
  channel.ready(plan.endpoint);
  bool is_told = false;
  while (!is_told && !channel.is_ended()) {
    const auto line = channel.line(100 * millisecond_ns);
    is_told = line && *line == "stop";
    server.listen();
    if (!server.has_ended()) continue;
    channel.failed(server.fault(plan.program + " ended"));
    return false;
  }
  RoleReport report;
  report.cpu_ns = cpu_used_ns(server.pid()) - used_ns;
  report.resident_kib = resident_highest_kib(server.pid());
  server.stop();
  if (is_told) channel.done(report);
  return is_told;
}

}  // namespace abuzz::bench
