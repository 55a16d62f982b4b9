#pragma once

#include <algorithm>
#include <cstdint>

#include "bench/histogram.hpp"
#include "bench/payload.hpp"
#include "bench/role_report.hpp"
#include "bench/time.hpp"
#include "bench/timeline.hpp"

namespace abuzz::bench {

// When messages that were proved arrived.
//
// Timed: the clock is read for each message, and its latency counted from when it was to be sent.
// Otherwise it is read for the first message, each last one, and about every 1024th between: a run
// that lost its last message is timed to the one before within that many. One thread at a time.
class Arrivals {
 public:
  explicit Arrivals(bool is_timed) : is_timed_(is_timed) {}

  void take(const PayloadFacts& facts) {
    if (first_ns_ == 0) first_ns_ = now_ns();
    if (is_timed_) {
      last_ns_ = now_ns();
      latency_.record(last_ns_ - facts.intended_ns);
      timeline_.record(last_ns_ - first_ns_, last_ns_ - facts.intended_ns);
    } else if (facts.is_last || (facts.sequence & 1023u) == 0) {
      last_ns_ = now_ns();
    }
  }
  void report(RoleReport& report) const {
    report.first_ns = static_cast<std::uint64_t>(first_ns_);
    report.last_ns = static_cast<std::uint64_t>(std::max(last_ns_, first_ns_));
    report.elapsed_ns = report.last_ns - report.first_ns;
    if (is_timed_) report.take(latency_);
    report.worst_ns = timeline_.worst_ns();
  }

 private:
  const bool is_timed_;
  Histogram latency_;
  Timeline timeline_;
  std::int64_t first_ns_ = 0, last_ns_ = 0;
};

}  // namespace abuzz::bench
