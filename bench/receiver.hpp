#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bench/arrivals.hpp"
#include "bench/payload.hpp"
#include "bench/role.hpp"
#include "bench/role_report.hpp"
#include "bench/sequence_check.hpp"

namespace abuzz::bench {

// What a subscriber of any system does with each message: proves it and keeps the times. One thread
// at a time.
class Receiver {
 public:
  Receiver(std::size_t bytes, unsigned sources, bool is_timed)
      : bytes_(bytes), checks_(std::max(sources, 1u)), arrivals_(is_timed) {}

  void take(std::span<const std::byte> payload) {
    const PayloadFacts facts = check_payload(payload, bytes_);
    if (!facts.is_intact || facts.source >= checks_.size()) {
      ++corrupt_;
      return;
    }
    checks_[facts.source].take(facts.sequence);
    arrivals_.take(facts);
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
    arrivals_.report(report);
    return report;
  }

 private:
  const std::size_t bytes_;
  std::vector<SequenceCheck> checks_;
  Arrivals arrivals_;
  std::uint64_t corrupt_ = 0;
};

}  // namespace abuzz::bench
