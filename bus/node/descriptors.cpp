#include "bus/node/descriptors.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace abuzz::node {
namespace {

// Where /proc is not mounted. Descriptors are given out from below.
std::size_t count_one_by_one(rlim_t limit) noexcept {
  const int end = static_cast<int>(std::min<rlim_t>(limit, 65'536));
  std::size_t left = 0;
  for (int fd = 0; fd < end; ++fd) left += fcntl(fd, F_GETFD) < 0 ? 1 : 0;
  return left;
}

}  // namespace

void raise_descriptor_limit() noexcept {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);  // what it gave is asked for when it matters
}

std::size_t count_descriptors_left() noexcept {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur == RLIM_INFINITY) return std::numeric_limits<std::size_t>::max();
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) {
    if (errno == EMFILE || errno == ENFILE) return 0;
    return count_one_by_one(limit.rlim_cur);
  }
  std::size_t used = 0;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') ++used;
  }
  closedir(directory);
  used -= 1;  // the directory's own
  return limit.rlim_cur > used ? static_cast<std::size_t>(limit.rlim_cur) - used : 0;
}

}  // namespace abuzz::node
