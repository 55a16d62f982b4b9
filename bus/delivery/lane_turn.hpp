#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "bus/base/units.hpp"
#include "bus/wire/layout.hpp"

namespace abuzz::delivery {

// Which of the data lanes is served next, wherever several have something: the highest, but for a
// lane that was passed over for longer than `patience`. That one gets a unit (a batch, a chunk) for
// every passed_bytes_max or passed_units_max that went past it, so no lane starves.
//
// One thread. Cost: where one lane has something, a compare; else a step for each lane. A server
// whose units are in one lane only never asks for the time.
class LaneTurn {
 public:
  static constexpr base::Nanos patience = 100 * base::millisecond;
  static constexpr std::uint32_t passed_units_max = 16;
  static constexpr std::uint64_t passed_bytes_max = 256 * base::kib;

  // Lanes that have something: a bit each, by wire::lane_index.
  using Waiting = std::uint8_t;
  static constexpr Waiting all = (1u << wire::data_lanes) - 1;
  static constexpr Waiting bit(std::size_t lane) noexcept {
    return static_cast<Waiting>(1u << lane);
  }
  static constexpr Waiting without(Waiting lanes, std::size_t lane) noexcept {
    return static_cast<Waiting>(lanes & ~bit(lane));
  }

  // Whether the time decides: then next must know it.
  static constexpr bool is_contested(Waiting waiting) noexcept {
    return (waiting & (waiting - 1)) != 0;
  }

  // The index of the lane whose turn it is. Requires: waiting != 0.
  std::size_t next(Waiting waiting, base::Nanos now) noexcept {
    const auto highest = static_cast<std::size_t>(std::countr_zero(waiting));
    if (waiting == bit(highest) && passed_ == 0) return highest;
    for (std::size_t lane = 0; lane < wire::data_lanes; ++lane) {
      if (lane == highest || (waiting & bit(lane)) == 0) {
        passed_ &= static_cast<Waiting>(~bit(lane));
      } else if ((passed_ & bit(lane)) == 0) {
        passed_ |= bit(lane);
        lines_[lane] = {now, 0, 0};
      }
    }
    for (std::size_t lane = highest + 1; lane < wire::data_lanes; ++lane)
      if ((passed_ & bit(lane)) != 0 && is_due(lines_[lane], now)) return lane;
    return highest;
  }
  // A unit of the lane went.
  void note_served(std::size_t lane, std::uint64_t bytes) noexcept {
    if (passed_ == 0) return;
    lines_[lane].units = 0;
    lines_[lane].bytes = 0;
    for (std::size_t lower = lane + 1; lower < wire::data_lanes; ++lower) {
      ++lines_[lower].units;
      lines_[lower].bytes += bytes;
    }
  }

 private:
  // What went past a lane while it had something.
  struct Line {
    base::Nanos since = 0;
    std::uint32_t units = 0;
    std::uint64_t bytes = 0;
  };
  static bool is_due(const Line& line, base::Nanos now) noexcept {
    return now - line.since > patience &&
           (line.units >= passed_units_max || line.bytes >= passed_bytes_max);
  }

  std::array<Line, wire::data_lanes> lines_;
  Waiting passed_ = 0;  // lanes that wait behind a higher one
};

}  // namespace abuzz::delivery
