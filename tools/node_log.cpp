#include "tools/node_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <ctime>

#include "tools/complaint.hpp"

namespace abuzz::tools {
namespace {

constexpr off_t log_bytes_max = 1 << 20;

}  // namespace

void NodeLog::detach() {
  const std::lock_guard lock(mutex_);
  ::setsid();
  struct stat facts {};
  if (::stat(path_.c_str(), &facts) == 0 && facts.st_size > log_bytes_max) {
    ::rename(path_.c_str(), (path_ + ".1").c_str());
  }
  open();
  is_detached_ = true;
  // The working directory of whoever came first must not stay busy for the node's sake.
  [[maybe_unused]] const int moved = ::chdir("/");
}

void NodeLog::open() {
  int log = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (log < 0) log = nothing;
  ::dup2(nothing, 0);
  ::dup2(log, 1);
  ::dup2(log, 2);
  if (log != nothing) ::close(log);
  ::close(nothing);
}

void NodeLog::write(std::string_view line) {
  const std::lock_guard lock(mutex_);
  struct stat facts {};
  if (is_detached_ && ::fstat(2, &facts) == 0 && facts.st_size > log_bytes_max) {
    ::rename(path_.c_str(), (path_ + ".1").c_str());
    open();
  }
  std::array<char, 32> time{};
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  const std::size_t bytes = std::strftime(time.data(), time.size(), "%FT%TZ ", &parts);
  tell(std::string(time.data(), bytes).append(line));
}

}  // namespace abuzz::tools
