#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/scratch.hpp"

extern char** environ;

namespace abuzz::testing {

// The environment without any config key, as it was before when this goes.
class Environment {
 public:
  Environment() {
    for (char** entry = environ; *entry != nullptr; ++entry) before_.emplace_back(*entry);
    for (const std::string& entry : before_) {
      if (entry.starts_with("ABUZZ_")) ::unsetenv(entry.substr(0, entry.find('=')).c_str());
    }
  }
  ~Environment() {
    ::clearenv();
    for (const std::string& entry : before_) {
      const std::size_t equals = entry.find('=');
      ::setenv(entry.substr(0, equals).c_str(), entry.c_str() + equals + 1, 1);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  void set(const std::string& name, const std::string& value) {
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  void unset(const std::string& name) { ::unsetenv(name.c_str()); }

 private:
  std::vector<std::string> before_;
};

// A directory that goes with everything in it.
class Directory {
 public:
  std::string path(std::string_view name) const {
    return scratch_.path() + "/" + std::string(name);
  }
  std::string write(std::string_view name, std::string_view text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }

 private:
  const ScratchDirectory scratch_;
};

inline std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace abuzz::testing
