#include "bus/base/clock.hpp"

#include <ctime>

namespace abuzz::base {

namespace {

Nanos read_clock(clockid_t id) noexcept {
  timespec time{};
  clock_gettime(id, &time);  // Cannot fail for these two ids.
  return static_cast<Nanos>(time.tv_sec) * second + static_cast<Nanos>(time.tv_nsec);
}

}  // namespace

Nanos SystemClock::now() noexcept {
  return read_clock(CLOCK_MONOTONIC);
}
Nanos SystemClock::wall_now() noexcept {
  return read_clock(CLOCK_REALTIME);
}

}  // namespace abuzz::base
