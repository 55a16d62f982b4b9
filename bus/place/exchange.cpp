#include "bus/place/exchange.hpp"

#include <pthread.h>

#include <algorithm>
#include <vector>

#include "bus/base/cache_line.hpp"
#include "bus/base/clock.hpp"
#include "bus/base/event_count.hpp"
#include "bus/base/position.hpp"
#include "bus/base/quiet_thread.hpp"
#include "bus/place/affinity.hpp"
#include "bus/place/median.hpp"

namespace abuzz::place {
namespace {

constexpr std::uint32_t lines_a_batch = 32;
constexpr std::size_t batches_max = 200;
constexpr std::size_t wakes_max = 300;
// A third of the budget is for cache lines: they are faster by a hundred times.
constexpr base::Nanos line_share = 3;
// A spinning thread looks at the clock this often: its partner may be off its processor.
constexpr std::uint32_t spins_a_look = 256;

// One direction: the last number that was sent, and how to wake who waits for it.
struct alignas(2 * base::cache_line_bytes) Wire {
  base::Position<std::uint32_t> number{0};
  base::EventCount events;
};

// Threads: `left` writes `there`, `right` writes `back`; either may give up by raising `is_over`.
struct Exchange {
  Wire there, back;
  base::Position<bool> is_over{false};
  Processors left, right;
  base::Nanos until = 0;
  ExchangeCost cost;  // by left only

  bool spin_for(const Wire& wire, std::uint32_t number) {
    for (std::uint32_t spins = 1; wire.number.read() != number; ++spins) {
      if (spins % spins_a_look != 0) continue;
      if (is_over.read() || clock.now() > until) return false;
    }
    return true;
  }

  bool sleep_for(Wire& wire, std::uint32_t number) {
    while (wire.number.read() != number) {
      const base::EventCount::Key key = wire.events.prepare();
      const bool is_over_first = is_over.read();
      const bool is_here = wire.number.read() == number;
      const base::Nanos left_ns = until - clock.now();
      if (is_here || is_over_first || left_ns <= 0) {
        wire.events.cancel();
        return is_here;
      }
      wire.events.wait(key, left_ns);
    }
    return true;
  }

  base::SystemClock clock;
};

void end_exchange(Exchange& exchange) {
  exchange.is_over.publish(true);
  exchange.there.events.notify_all();
  exchange.back.events.notify_all();
}

// The partner answers each number with itself.
void answer_lines(Exchange& exchange) {
  for (std::uint32_t number = 1; number <= batches_max * lines_a_batch; ++number) {
    if (!exchange.spin_for(exchange.there, number)) return;
    exchange.back.number.publish(number);
  }
}

void answer_wakes(Exchange& exchange) {
  for (std::uint32_t number = 1; number <= wakes_max; ++number) {
    if (!exchange.sleep_for(exchange.there, number)) return;
    exchange.back.number.publish(number);
    exchange.back.events.notify_all();
  }
}

void measure_lines(Exchange& exchange) {
  std::vector<base::Nanos> batches;
  std::uint32_t number = 0;
  // The first batch brings the partner here and is not counted.
  for (std::size_t batch = 0; batch < batches_max; ++batch) {
    const base::Nanos begun = exchange.clock.now();
    for (std::uint32_t i = 0; i < lines_a_batch; ++i) {
      exchange.there.number.publish(++number);
      if (!exchange.spin_for(exchange.back, number)) {
        batch = batches_max;
        break;
      }
    }
    if (batch > 0 && batch < batches_max) batches.push_back(exchange.clock.now() - begun);
  }
  exchange.cost.line_ns = median(batches) / lines_a_batch;
}

void measure_wakes(Exchange& exchange) {
  std::vector<base::Nanos> trips;
  for (std::uint32_t number = 1; number <= wakes_max; ++number) {
    const base::Nanos begun = exchange.clock.now();
    exchange.there.number.publish(number);
    exchange.there.events.notify_all();
    if (!exchange.sleep_for(exchange.back, number)) break;
    if (number > 1) trips.push_back(exchange.clock.now() - begun);
  }
  exchange.cost.wake_ns = median(trips);
}

template <void (*Phase)(Exchange&), Processors Exchange::*Place>
void* run(void* self) {
  Exchange& exchange = *static_cast<Exchange*>(self);
  if (set_affinity(exchange.*Place) == 0) Phase(exchange);
  end_exchange(exchange);
  return nullptr;
}

// Runs the two until both are done.
void meet(Exchange& exchange, void* (*left)(void*), void* (*right)(void*)) {
  pthread_t partner{}, self{};
  if (!base::start_quiet_thread(partner, right, &exchange, "abz-probe")) return;
  if (base::start_quiet_thread(self, left, &exchange, "abz-probe")) {
    pthread_join(self, nullptr);
  } else {
    end_exchange(exchange);
  }
  pthread_join(partner, nullptr);
}

}  // namespace

double measure_wakes_ns(const Processors& left, const Processors& right, base::Nanos budget) {
  Exchange wakes;
  wakes.left = left;
  wakes.right = right;
  wakes.until = wakes.clock.now() + budget;
  meet(wakes, run<measure_wakes, &Exchange::left>, run<answer_wakes, &Exchange::right>);
  return wakes.cost.wake_ns;
}

ExchangeCost measure_exchange(std::uint32_t left, std::uint32_t right, base::Nanos budget) {
  ExchangeCost cost;
  base::SystemClock clock;
  const base::Nanos begun = clock.now();
  if (left != right) {
    Exchange lines;
    lines.left = {left};
    lines.right = {right};
    lines.until = begun + budget / line_share;
    meet(lines, run<measure_lines, &Exchange::left>, run<answer_lines, &Exchange::right>);
    cost.line_ns = lines.cost.line_ns;
  }
  cost.wake_ns = measure_wakes_ns({left}, {right}, begun + budget - clock.now());
  return cost;
}

}  // namespace abuzz::place
