#pragma once

#include "bus/base/units.hpp"

namespace abuzz::base {

// Where time comes from. Everything that is stepped takes `now` as an argument; only the threads,
// and tests in their place, own a clock. One read costs about 20 ns: read once a duty cycle.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Nanos now() noexcept = 0;       // monotonic, never goes back
  virtual Nanos wall_now() noexcept = 0;  // since the Unix epoch; for people, never for expiry
};

class SystemClock final : public Clock {
 public:
  Nanos now() noexcept override;
  Nanos wall_now() noexcept override;
};

// Stands still until it is told to move. One thread.
class ManualClock final : public Clock {
 public:
  Nanos now() noexcept override { return now_; }
  Nanos wall_now() noexcept override { return now_; }
  void advance(Nanos span) noexcept { now_ += span; }

 private:
  Nanos now_ = second;  // not 0, so that "never happened" and "at the start" differ
};

}  // namespace abuzz::base
