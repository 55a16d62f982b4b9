#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/role.hpp"
#include "bench/role_report.hpp"

// Accounts for messages that several receivers share, each of which sees only its own. Every
// message has a fingerprint; what all of them together have received is each sent message once if
// and only if count and sum of the fingerprints are those of the sent ones (but for a chance of one
// in 2^64).

namespace abuzz::bench {

// Of message `sequence` of a source.
std::uint64_t fingerprint(unsigned source, std::uint64_t sequence) noexcept;

// One receiver's share. One thread.
class ShareCheck {
 public:
  explicit ShareCheck(std::size_t sources) : last_(sources) {}

  // One that must be behind those of its source before it. Requires: source < sources.
  void take(unsigned source, std::uint64_t sequence) noexcept {
    take_any(source, sequence);
    if (sequence <= last_[source]) ++reordered_;
    last_[source] = sequence;
  }
  // One whose place in the order nobody promised.
  void take_any(unsigned source, std::uint64_t sequence) noexcept {
    ++received_;
    fingerprint_ += fingerprint(source, sequence);
  }
  void report(RoleReport& report) const noexcept {
    report.shared += received_;
    report.received += received_;
    report.reordered += reordered_;
    report.fingerprint += fingerprint_;
  }

 private:
  std::vector<std::uint64_t> last_;
  std::uint64_t received_ = 0, reordered_ = 0, fingerprint_ = 0;
};

// `figures` holds the sum of all shares: finds what is missing in it and what is in it twice.
void compare_shares(const Totals& sent, RoleReport& figures) noexcept;

}  // namespace abuzz::bench
