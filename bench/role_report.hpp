#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/histogram.hpp"

namespace abuzz::bench {

// What a role process tells the benchmark: one JSON object a line on its stdout. Figures that a
// role does not have stay 0. Nothing of bus/ stands here.
struct RoleReport {
  std::string event;  // "ready", "sent", "done" or "failed"
  std::string text;   // why it failed; what who doubts should know; of a ready hub, its endpoint
  std::string link;   // that was really used, where the system can tell
  std::string placement;  // its threads, and the processors that they may run on
  std::uint64_t sent = 0;
  std::uint64_t received = 0, lost = 0, reordered = 0, doubled = 0, corrupt = 0;
  std::uint64_t shared = 0;       // of `received`: what one of several gets (share_check.hpp)
  std::uint64_t fingerprint = 0;  // of these
  std::uint64_t dropped = 0;      // of a hub: by the system itself, which counted it
  std::uint64_t moved_bytes = 0;  // of those in lockstep: by the node, in and out
  std::uint64_t measured = 0;     // round trips after the warm-up
  std::uint64_t elapsed_ns = 0;   // first to last receipt; of round trips the measured time
  std::uint64_t first_ns = 0, last_ns = 0;  // the receipts, on the monotonic clock
  std::uint64_t sending_ns = 0;             // at a rate: how long sending took
  std::uint64_t cpu_ns = 0;                 // user and system, all threads, while the run lasted
  std::uint64_t resident_kib = 0;           // highest so far
  std::uint64_t back_pressured = 0;         // sends that had no room at once
  std::uint64_t timed = 0;                  // latencies that the percentiles are of
  std::uint64_t p50_ns = 0, p90_ns = 0, p99_ns = 0, p999_ns = 0, p9999_ns = 0, max_ns = 0;
  // All that was timed: highest value of a bucket in ns, count, and so on in pairs.
  std::vector<std::uint64_t> buckets;
  std::vector<std::uint64_t> worst_ns;  // latency, of each slot of a Timeline

  // Takes the percentiles and the buckets.
  void take(const Histogram& histogram);
};

// Without the newline.
std::string encode(const RoleReport& report);
// False when the line is not one.
bool decode(std::string_view line, RoleReport& report);

}  // namespace abuzz::bench
