#include <algorithm>
#include <vector>

#include "bus/place/exchange.hpp"
#include "bus/place/median.hpp"
#include "bus/placement.hpp"

namespace abuzz {

namespace {

using Spread = MeetingMeasures::Spread;

constexpr std::uint32_t rounds_max = 9;
constexpr base::Nanos budget = 12 * base::millisecond;

Spread spread_of(std::vector<double> values) {
  std::erase_if(values, [](double value) { return value <= 0; });
  if (values.empty()) return {};
  const auto [least, most] = std::ranges::minmax_element(values);
  const Spread spread{*least, 0, *most};
  return {spread.least, place::median(values), spread.most};
}

}  // namespace

MeetingMeasures measure_meeting(const Topology& topology) {
  MeetingMeasures measures;
  place::Processors all;
  for (const Topology::Core& core : topology.cores)
    all.insert(all.end(), core.processors.begin(), core.processors.end());
  std::ranges::sort(all);
  measures.left = topology.cores.front().processors.front();
  measures.right = topology.cores.back().processors.front();
  const bool has_two = measures.left != measures.right;
  std::vector<double> one_core, across, kernel, gain_one_core, gain_across;
  for (std::uint32_t round = 0; round < rounds_max; ++round) {
    const auto measure = [&](const place::Processors& left, const place::Processors& right) {
      return place::measure_wakes_ns(left, right, budget) / base::microsecond;
    };
    one_core.push_back(measure({measures.left}, {measures.left}));
    if (!has_two) continue;
    across.push_back(measure({measures.left}, {measures.right}));
    kernel.push_back(measure(all, all));
    const auto gain = [&](double us) { return us > 0 ? kernel.back() / us : 0; };
    gain_one_core.push_back(gain(one_core.back()));
    gain_across.push_back(gain(across.back()));
  }
  measures.rounds = rounds_max;
  measures.one_core_us = spread_of(std::move(one_core));
  measures.across_us = spread_of(std::move(across));
  measures.kernel_us = spread_of(std::move(kernel));
  measures.gain_one_core = spread_of(std::move(gain_one_core));
  measures.gain_across = spread_of(std::move(gain_across));
  return measures;
}

}  // namespace abuzz
