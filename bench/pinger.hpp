#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bench/histogram.hpp"
#include "bench/payload.hpp"
#include "bench/role_report.hpp"
#include "bench/sequence_check.hpp"
#include "bench/time.hpp"
#include "bench/timeline.hpp"

namespace abuzz::bench {

// The measuring side of pingpong for any system: one message in flight, each answer proved, each
// round trip recorded. A tenth of the duration, at least 200 round trips, warms up and is
// discarded. One thread at a time.
class Pinger {
 public:
  explicit Pinger(std::size_t bytes, std::int64_t duration_ns)
      : bytes_(bytes), duration_ns_(duration_ns), writer_(bytes) {}

  // The next payload; the round trip is timed from here. Valid until the next call.
  std::span<const std::byte> ping() noexcept {
    const auto payload = writer_.fill(++sequence_, false);
    sent_ns_ = now_ns();
    return payload;
  }
  // The answer. False once the measurement is over.
  bool pong(std::span<const std::byte> payload) {
    const std::int64_t now = now_ns();
    const PayloadFacts facts = check_payload(payload, bytes_);
    if (!facts.is_intact) check_.take_corrupt();
    if (facts.is_intact) check_.take(facts.sequence);
    if (is_warm_) {
      histogram_.record(now - sent_ns_);
      timeline_.record(now - start_ns_, now - sent_ns_);
      last_ns_ = now;
      return now - start_ns_ < duration_ns_;
    }
    if (start_ns_ == 0) start_ns_ = now;
    if (now - start_ns_ >= duration_ns_ / 10 && sequence_ >= warm_up_count) {
      is_warm_ = true;
      start_ns_ = now;
    }
    return true;
  }

  RoleReport finish() {
    check_.finish(sequence_);
    RoleReport report;
    report.sent = sequence_;
    report.received = check_.received();
    report.lost = check_.lost();
    report.reordered = check_.reordered();
    report.doubled = check_.doubled();
    report.corrupt = check_.corrupt();
    report.measured = histogram_.count();
    report.elapsed_ns = static_cast<std::uint64_t>(last_ns_ - start_ns_);
    report.take(histogram_);
    report.worst_ns = timeline_.worst_ns();
    return report;
  }

 private:
  static constexpr std::uint64_t warm_up_count = 200;

  const std::size_t bytes_;
  const std::int64_t duration_ns_;
  PayloadWriter writer_;
  SequenceCheck check_;
  Histogram histogram_;
  Timeline timeline_;
  std::uint64_t sequence_ = 0;
  std::int64_t sent_ns_ = 0, start_ns_ = 0, last_ns_ = 0;
  bool is_warm_ = false;
};

}  // namespace abuzz::bench
