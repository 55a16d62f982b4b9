#include <time.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "bus/base/clock.hpp"
#include "bus/place/exchange.hpp"
#include "bus/place/median.hpp"
#include "bus/placement.hpp"

namespace abuzz {
namespace {

using Core = Topology::Core;

// All of it, so that nobody minds to ask again.
constexpr base::Nanos budget_all = 90 * base::millisecond;
constexpr base::Nanos budget_same = 8 * base::millisecond;
constexpr base::Nanos budget_timer = 10 * base::millisecond;
// No pair gets more: what is left over is not spent.
constexpr base::Nanos budget_pair_max = 60 * base::millisecond;
constexpr std::size_t processors_max = 8;

// Processors that stand for all: one of each cache as far as they go, evenly spread, then siblings
// and neighbours of the first.
std::vector<std::uint32_t> representatives(const Topology& topology) {
  std::vector<std::uint32_t> chosen;
  const auto add = [&](std::uint32_t processor) {
    if (chosen.size() < processors_max && std::ranges::count(chosen, processor) == 0) {
      chosen.push_back(processor);
    }
  };
  std::vector<const Core*> firsts;  // of each cache
  std::set<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>> seen;
  for (const Core& core : topology.cores) {
    if (seen.emplace(core.package, core.numa, core.cache).second) firsts.push_back(&core);
  }
  const Core& first = topology.cores.front();
  for (std::size_t i = 0; i < std::min<std::size_t>(2, first.processors.size()); ++i) {
    add(first.processors[i]);
  }
  if (topology.cores.size() > 1) add(topology.cores[1].processors.front());
  const std::size_t room = processors_max - chosen.size();
  const std::size_t step = std::max<std::size_t>(1, (firsts.size() + room - 1) / room);
  for (std::size_t i = 0; i < firsts.size(); i += step) add(firsts[i]->processors.front());
  for (const Core& core : topology.cores) add(core.processors.front());
  std::ranges::sort(chosen);
  return chosen;
}

void measure_timer(Measures& measures, base::Clock& clock) {
  constexpr base::Nanos nap = 100 * base::microsecond;
  std::vector<double> late_us;
  const base::Nanos until = clock.now() + budget_timer;
  for (base::Nanos now = clock.now(); now < until;) {
    const timespec span{0, static_cast<long>(nap)};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &span, nullptr);
    const base::Nanos after = clock.now();
    late_us.push_back(static_cast<double>(after - now - nap) / base::microsecond);
    now = after;
  }
  measures.timer_late_most_us = std::ranges::max(late_us);
  measures.timer_late_us = place::median(late_us);
}

}  // namespace

double Measures::wake_across_us() const {
  std::vector<double> values;
  for (const Pair& pair : pairs) {
    if (pair.wake_us > 0) values.push_back(pair.wake_us);
  }
  return place::median(values);
}

Measures measure_machine(const Topology& topology) {
  Measures measures;
  base::SystemClock clock;
  const base::Nanos begun = clock.now();
  measure_timer(measures, clock);
  const std::vector<std::uint32_t> chosen = representatives(topology);
  const auto wake_us = [](const place::ExchangeCost& cost) {
    return cost.wake_ns / base::microsecond;
  };
  measures.wake_same_us =
      wake_us(place::measure_exchange(chosen.front(), chosen.front(), budget_same));
  std::size_t pairs_left = chosen.size() * (chosen.size() - 1) / 2;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    for (std::size_t j = i + 1; j < chosen.size(); ++j, --pairs_left) {
      const base::Nanos left = begun + budget_all - clock.now();
      const base::Nanos share = left / static_cast<base::Nanos>(pairs_left);
      if (share <= 0) break;
      const place::ExchangeCost cost = place::measure_exchange(
          chosen[i], chosen[j], std::min<base::Nanos>(share, budget_pair_max));
      measures.pairs.push_back({chosen[i], chosen[j], cost.line_ns, wake_us(cost)});
    }
  }
  measures.took = std::chrono::nanoseconds(clock.now() - begun);
  return measures;
}

}  // namespace abuzz
