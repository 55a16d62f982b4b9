#pragma once

#include <cstdint>

namespace abuzz::bench {

// Waits until messages are due, as an open loop has it. Messages carry the moment at which they
// were to leave, so what it wakes too late counts as latency; what it spins away, to wake in time,
// is taken from the system under test where processors are few. So it spins at most 60 us, and
// where there are none to spare, no more than a twentieth of the time between messages. There it
// also sleeps for 50 us at least, and sends what came due meanwhile together: to sleep for two
// microseconds costs more than they are.
//
// By one thread, whose sleeps are made as exact as the kernel can (PR_SET_TIMERSLACK).
class Pacer {
 public:
  Pacer(double interval_ns, bool has_processors_to_spare) noexcept;

  void sleep_until(std::int64_t moment_ns) const noexcept;

 private:
  std::int64_t spin_ns_, sleep_min_ns_;
};

}  // namespace abuzz::bench
