#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>

#include "tests/scratch.hpp"

namespace abuzz::node::test {

// A folder of one test, removed with all that is in it.
class TemporaryDirectory {
 public:
  std::string operator/(const std::string& name) const { return scratch_.path() + "/" + name; }

 private:
  const ScratchDirectory scratch_;
};

inline bool exists(const std::string& path) {
  struct stat status;
  return lstat(path.c_str(), &status) == 0;
}
inline unsigned mode_of(const std::string& path) {
  struct stat status {};
  lstat(path.c_str(), &status);
  return status.st_mode & 0777;
}
inline void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}
inline std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace abuzz::node::test
