#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/time.hpp"

namespace abuzz::bench {

// The worst latency of each twentieth of a second, so that a stall can be seen where it happened.
// One thread.
class Timeline {
 public:
  static constexpr std::int64_t slot_ns = 50 * millisecond_ns;
  static constexpr std::size_t slots_max = 72'000;  // an hour; what comes later is in the last one

  void record(std::int64_t since_start_ns, std::int64_t latency_ns) {
    const auto slot =
        std::min(static_cast<std::size_t>(std::max<std::int64_t>(since_start_ns, 0) / slot_ns),
                 slots_max - 1);
    if (slot >= worst_ns_.size()) worst_ns_.resize(slot + 1);
    worst_ns_[slot] = std::max(worst_ns_[slot],
                               static_cast<std::uint64_t>(std::max<std::int64_t>(latency_ns, 0)));
  }
  const std::vector<std::uint64_t>& worst_ns() const noexcept { return worst_ns_; }

 private:
  std::vector<std::uint64_t> worst_ns_;
};

}  // namespace abuzz::bench
