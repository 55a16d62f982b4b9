#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "bus/delivery/coverage.hpp"
#include "bus/receipt.hpp"

namespace abuzz::delivery {

// Why subscriptions did not handle messages of one batch, in the order in which they said so: what
// none of them handled is counted by the first reason, or as unknown if one of them cannot say.
// One thread. Cost: nothing while nothing is lost; no allocation once it has grown.
class Losses {
 public:
  void add_dropped(std::uint32_t first, std::uint32_t count, DropReason reason) {
    add({first, first + count, reason, false});
  }
  void add_unknown(std::uint32_t first, std::uint32_t count) {
    add({first, first + count, DropReason::peer_gone, true});
  }

  struct Sums {
    std::uint32_t unknown = 0;
    std::array<std::uint32_t, drop_reason_count> dropped_by{};
  };
  // Of the messages 0 to `count` - 1, those that are not in `handled`.
  Sums sum(const Coverage& handled, std::uint32_t count) const {
    Sums sums;
    const std::uint32_t lost = count - handled.count();
    if (lost == 0 || runs_.empty()) return sums;
    const bool is_uniform = std::all_of(runs_.begin(), runs_.end(), [&](const Run& run) {
      return run.reason == runs_.front().reason && run.is_unknown == runs_.front().is_unknown;
    });
    if (is_uniform) {
      add_to(sums, runs_.front(), lost);
      return sums;
    }
    for (std::uint32_t index = 0; index < count; ++index) {
      const Run* cause = handled.contains(index) ? nullptr : cause_of(index);
      if (cause != nullptr) add_to(sums, *cause, 1);
    }
    return sums;
  }
  // Keeps the memory.
  void clear() noexcept { runs_.clear(); }

 private:
  struct Run {
    std::uint32_t first, end;
    DropReason reason;
    bool is_unknown;
  };
  void add(const Run& run) {
    if (run.first >= run.end) return;
    Run* last = runs_.empty() ? nullptr : &runs_.back();
    if (last != nullptr && last->end == run.first && last->reason == run.reason &&
        last->is_unknown == run.is_unknown)
      last->end = run.end;
    else
      runs_.push_back(run);
  }
  const Run* cause_of(std::uint32_t index) const noexcept {
    const Run* cause = nullptr;
    for (const Run& run : runs_) {
      if (index < run.first || index >= run.end) continue;
      if (run.is_unknown) return &run;
      if (cause == nullptr) cause = &run;
    }
    return cause;
  }
  static void add_to(Sums& sums, const Run& cause, std::uint32_t count) noexcept {
    if (cause.is_unknown)
      sums.unknown += count;
    else
      sums.dropped_by[static_cast<std::size_t>(cause.reason)] += count;
  }

  std::vector<Run> runs_;
};

}  // namespace abuzz::delivery
