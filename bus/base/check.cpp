#include "bus/base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace abuzz::base {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "abuzz: internal check failed: %s (%s:%d)\n", condition, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace abuzz::base
