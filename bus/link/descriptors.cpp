#include "bus/link/descriptors.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace abuzz::link {

std::size_t raise_descriptor_limit(std::size_t wanted) noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur >= wanted) return limit.rlim_cur;
  const rlimit raised{std::min<rlim_t>(wanted, limit.rlim_max), limit.rlim_max};
  return ::setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

bool has_free_descriptors(std::size_t count) noexcept {
  std::array<int, 256> descriptors{};
  const std::size_t wanted = std::min(count, descriptors.size());
  std::size_t opened = 0;
  while (opened < wanted) {
    const int descriptor = ::open("/", O_PATH | O_CLOEXEC);
    if (descriptor < 0) break;
    descriptors[opened++] = descriptor;
  }
  for (std::size_t index = 0; index < opened; ++index) ::close(descriptors[index]);
  return opened == wanted;
}

}  // namespace abuzz::link
