#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bench/histogram.hpp"
#include "bench/payload.hpp"
#include "bench/role.hpp"
#include "bench/role_report.hpp"
#include "bench/sequence_check.hpp"
#include "bench/time.hpp"
#include "bench/timeline.hpp"

namespace abuzz::bench {

// What a subscriber of any system does with each message: proves it and keeps the times.
//
// Timed: the clock is read for each message, and its latency counted from when it was to be sent.
// Otherwise it is read for the first message, each last one, and every 1024th between: a run that
// lost its last message is timed to the one before within that many. One thread at a time.
class Receiver {
 public:
  Receiver(std::size_t bytes, unsigned sources, bool is_timed)
      : bytes_(bytes), is_timed_(is_timed), checks_(std::max(sources, 1u)) {}

  void take(std::span<const std::byte> payload) {
    const PayloadFacts facts = check_payload(payload, bytes_);
    if (!facts.is_intact || facts.source >= checks_.size()) {
      ++corrupt_;
      return;
    }
    checks_[facts.source].take(facts.sequence);
    if (first_ns_ == 0) first_ns_ = now_ns();
    if (is_timed_) {
      last_ns_ = now_ns();
      latency_.record(last_ns_ - facts.intended_ns);
      timeline_.record(last_ns_ - first_ns_, last_ns_ - facts.intended_ns);
    } else if (facts.is_last || (facts.sequence & 1023u) == 0) {
      last_ns_ = now_ns();
    }
  }

  // Everything that the sources sent became.
  RoleReport finish(const Totals& totals) {
    RoleReport report;
    for (std::size_t source = 0; source < checks_.size(); ++source) {
      SequenceCheck& check = checks_[source];
      check.finish(source < totals.of_source.size() ? totals.of_source[source] : 0);
      report.received += check.received();
      report.lost += check.lost();
      report.reordered += check.reordered();
      report.doubled += check.doubled();
    }
    report.corrupt = corrupt_;
    report.first_ns = static_cast<std::uint64_t>(first_ns_);
    report.last_ns = static_cast<std::uint64_t>(std::max(last_ns_, first_ns_));
    report.elapsed_ns = report.last_ns - report.first_ns;
    if (is_timed_) report.take(latency_);
    report.worst_ns = timeline_.worst_ns();
    return report;
  }

 private:
  const std::size_t bytes_;
  const bool is_timed_;
  std::vector<SequenceCheck> checks_;
  Histogram latency_;
  Timeline timeline_;
  std::uint64_t corrupt_ = 0;
  std::int64_t first_ns_ = 0;
  std::int64_t last_ns_ = 0;
};

}  // namespace abuzz::bench
