#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bench/payload.hpp"
#include "bench/role_report.hpp"
#include "bench/sequence_check.hpp"
#include "bench/time.hpp"

namespace abuzz::bench {

// What a subscriber of any system does with each message: proves it and keeps the times.
//
// The clock is read for the first message, the last one, and every 1024th between: a run that lost
// its last message is timed to the one before within that many. One thread at a time.
class Receiver {
 public:
  explicit Receiver(std::size_t bytes) : bytes_(bytes) {}

  void take(std::span<const std::byte> payload) {
    const PayloadFacts facts = check_payload(payload, bytes_);
    if (!facts.is_intact) {
      check_.take_corrupt();
      return;
    }
    check_.take(facts.sequence);
    if (first_ns_ == 0) first_ns_ = now_ns();
    if (facts.is_last || (facts.sequence & 1023u) == 0) last_ns_ = now_ns();
  }
  std::uint64_t received() const noexcept { return check_.received(); }

  // Everything that `total` sent messages became.
  RoleReport finish(std::uint64_t total) {
    check_.finish(total);
    RoleReport report;
    report.received = check_.received();
    report.lost = check_.lost();
    report.reordered = check_.reordered();
    report.doubled = check_.doubled();
    report.corrupt = check_.corrupt();
    if (last_ns_ > first_ns_) report.elapsed_ns = static_cast<std::uint64_t>(last_ns_ - first_ns_);
    return report;
  }

 private:
  const std::size_t bytes_;
  SequenceCheck check_;
  std::int64_t first_ns_ = 0;
  std::int64_t last_ns_ = 0;
};

}  // namespace abuzz::bench
