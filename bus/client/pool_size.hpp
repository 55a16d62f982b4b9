#pragma once

#include <algorithm>
#include <cstdint>

#include "bus/base/units.hpp"

namespace abuzz::client {

// How many workers a pool should have: one a core, and more while they are busy with waiting.
//
// | looks in a row                                              | then                          |
// |-------------------------------------------------------------|-------------------------------|
// | 2 above 0.8 busy, most of it asleep, while messages wait    | half as many more, to the most |
// | 10 below 0.3 busy                                           | one less, to one a core        |
//
// Workers that compute are not helped by more of them, so only those that sleep in their handlers
// count. One look every `interval`. One thread.
class PoolSize {
 public:
  static constexpr base::Nanos interval = 100 * base::millisecond;
  static constexpr std::uint32_t workers_a_core_max = 4;
  static constexpr double busy_high = 0.8, busy_low = 0.3;
  static constexpr std::uint32_t looks_high = 2, looks_low = 10;

  // What happened since the last look, in all workers.
  struct Look {
    base::Nanos span = 0;
    base::Nanos busy = 0;  // inside handlers
    base::Nanos cpu = 0;   // of that, computing
    bool has_waiting = false;
  };

  // `cores`: one worker each.
  explicit PoolSize(std::uint32_t cores) noexcept : cores_(std::max(cores, 1u)) {}

  std::uint32_t size() const noexcept { return std::clamp(size_, least(), most()); }
  std::uint32_t least() const noexcept { return std::min(cores_, useful_); }
  std::uint32_t most() const noexcept { return std::min(cores_ * workers_a_core_max, useful_); }
  // More can never run at once.
  void set_useful(std::uint32_t calls) noexcept { useful_ = calls; }

  // Returns the size from now on.
  std::uint32_t note(const Look& look) noexcept {
    const auto all = static_cast<double>(look.span) * size();
    const auto busy = static_cast<double>(look.busy);
    const bool sleeps = look.cpu * 2 < look.busy;
    const bool is_high = look.has_waiting && sleeps && busy > busy_high * all;
    const bool is_low = busy < busy_low * all;
    high_ = is_high ? high_ + 1 : 0;
    low_ = is_low ? low_ + 1 : 0;
    size_ = size();
    if (high_ >= looks_high) {
      size_ = size_ + (size_ + 1) / 2;
      high_ = 0;
    } else if (low_ >= looks_low) {
      size_ = size_ > least() ? size_ - 1 : size_;
      low_ = 0;
    }
    return size_ = size();
  }

 private:
  const std::uint32_t cores_;
  std::uint32_t useful_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t high_ = 0, low_ = 0;
};

}  // namespace abuzz::client
