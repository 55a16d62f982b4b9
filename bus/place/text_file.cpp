#include "bus/place/text_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>

namespace abuzz::place {

std::string read_text(const std::string& path) {
  constexpr std::size_t bytes_max = 64 << 10;
  std::string text;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return text;
  for (;;) {
    const std::size_t have = text.size();
    if (have >= bytes_max) break;
    text.resize(have + 4096);
    const ssize_t got = read(fd, text.data() + have, 4096);
    text.resize(have + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got <= 0) break;
  }
  close(fd);
  return text;
}

}  // namespace abuzz::place
