#pragma once

#include <algorithm>
#include <cstdint>

#include "bus/base/units.hpp"

namespace abuzz::delivery {

// How many messages a member of a group may have waiting in its process: about ten milliseconds of
// its own work, as far as that is known. Who is slow has one, so that nothing waits behind it while
// others are idle; who is quick has enough that the way to it does not slow it down.
//
// One thread. Cost: a few comparisons; a division once a millisecond.
class Allowance {
 public:
  explicit Allowance(std::uint32_t most) noexcept : most_(std::max(most, 1u)) {}

  std::uint32_t now() const noexcept { return allowed_; }
  // It had nothing, and gets something: what went before says nothing of its speed.
  void begin(std::uint64_t taken, base::Nanos now) noexcept {
    since_ = now;
    taken_at_ = taken;
  }
  // Its workers have taken so many, in all.
  void note_taken(std::uint64_t taken, base::Nanos now) noexcept {
    const base::Nanos span = now - since_;
    if (span < measured_for) {
      // Too short to divide by, but not for what was taken meanwhile.
      allowed_ = std::clamp(
          static_cast<std::uint32_t>(std::min<std::uint64_t>((taken - taken_at_) * 2, most_)),
          allowed_, most_);
      return;
    }
    const std::uint64_t rate = (taken - taken_at_) * static_cast<std::uint64_t>(work_ahead) /
                               static_cast<std::uint64_t>(span);
    allowed_ = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(rate, 1, most_));
    begin(taken, now);
  }

 private:
  static constexpr base::Nanos work_ahead = 10 * base::millisecond;
  static constexpr base::Nanos measured_for = base::millisecond;

  std::uint32_t most_;
  std::uint32_t allowed_ = 1;
  base::Nanos since_ = 0;
  std::uint64_t taken_at_ = 0;
};

}  // namespace abuzz::delivery
