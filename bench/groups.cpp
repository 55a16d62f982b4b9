#include "bench/groups.hpp"

#include <algorithm>
#include <cstdio>

namespace abuzz::bench {
namespace {

bool repeats(const RunPlan& left, const RunPlan& right) noexcept {
  return left.system == right.system && left.scenario == right.scenario &&
         left.bytes == right.bytes && left.rate == right.rate && left.load == right.load;
}

}  // namespace

std::string RunGroup::name() const {
  std::string name = plan().system->name;
  const double rate = plan().rate;
  if (rate <= 0) return name;
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, rate >= 1e6 ? " at %.3gM/s" : " at %.3gk/s",
                rate >= 1e6 ? rate / 1e6 : rate / 1e3);
  return name + buffer;
}

std::size_t RunGroup::verified_count() const noexcept {
  return static_cast<std::size_t>(std::count_if(
      runs.begin(), runs.end(), [](const RunResult* run) { return run->is_verified(); }));
}

Histogram RunGroup::latency() const {
  Histogram sum;
  for (const RunResult* run : runs) {
    if (!run->is_verified()) continue;
    const auto& buckets = run->figures.buckets;
    for (std::size_t at = 0; at + 1 < buckets.size(); at += 2)
      sum.add(buckets[at], buckets[at + 1]);
  }
  return sum;
}

std::vector<RunGroup> groups_of(const BenchReport& report) {
  std::vector<RunGroup> groups;
  for (const RunResult& run : report.runs) {
    const auto found = std::find_if(groups.begin(), groups.end(), [&run](const RunGroup& group) {
      return repeats(group.plan(), run.plan);
    });
    if (found == groups.end())
      groups.push_back({{&run}});
    else
      found->runs.push_back(&run);
  }
  return groups;
}

}  // namespace abuzz::bench
