#include <algorithm>

#include "bench/scenarios/scenarios.hpp"

namespace abuzz::bench {

void Sum::add(const RoleReport& report) {
  for (const auto figure :
       {&RoleReport::received, &RoleReport::lost, &RoleReport::reordered, &RoleReport::doubled,
        &RoleReport::corrupt, &RoleReport::shared, &RoleReport::fingerprint})
    total_.*figure += report.*figure;
  const bool is_first = total_.first_ns == 0 || report.first_ns < total_.first_ns;
  if (report.first_ns != 0 && is_first) total_.first_ns = report.first_ns;
  total_.last_ns = std::max(total_.last_ns, report.last_ns);
  for (std::size_t at = 0; at + 1 < report.buckets.size(); at += 2)
    latency_.add(report.buckets[at], report.buckets[at + 1]);
  if (total_.worst_ns.size() < report.worst_ns.size())
    total_.worst_ns.resize(report.worst_ns.size());
  for (std::size_t slot = 0; slot < report.worst_ns.size(); ++slot)
    total_.worst_ns[slot] = std::max(total_.worst_ns[slot], report.worst_ns[slot]);
}

RoleReport Sum::finish() {
  total_.elapsed_ns = total_.last_ns - total_.first_ns;
  if (latency_.count() > 0) total_.take(latency_);
  return total_;
}

}  // namespace abuzz::bench
