#include <cstdint>
#include <vector>

#include "bench/micro/micro.hpp"
#include "bus/delivery/lane_turn.hpp"
#include "bus/mem/pool.hpp"
#include "bus/queue/intake.hpp"

// Queues, lanes and buffers, by one thread: what they cost where nobody is in the way.

namespace abuzz {
namespace {

void intake_push_and_pop(benchmark::State& state) {
  constexpr std::size_t quota = 256, messages = 64;
  queue::Intake<std::uint64_t, quota> intake(1);
  auto producer = intake.producer();
  std::uint64_t output[messages];
  for (auto _ : state) {
    for (std::uint64_t item = 0; item < messages; ++item)
      benchmark::DoNotOptimize(producer.try_push(std::uint64_t{item}));
    benchmark::DoNotOptimize(intake.pop(output, messages));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(messages));
}
ABUZZ_MICRO(intake_push_and_pop);

// One of many pushes, as where a process has many publishers.
void intake_one_of_500(benchmark::State& state) {
  constexpr std::size_t quota = 64, places = 500;
  queue::Intake<std::uint64_t, quota> intake(places);
  std::vector<queue::Intake<std::uint64_t, quota>::Producer> producers;
  for (std::size_t place = 0; place < places; ++place) producers.push_back(intake.producer());
  std::uint64_t output = 0;
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(producers[next].try_push(std::uint64_t{next}));
    next = (next + 1) % places;
    while (intake.pop(&output, 1) == 1) benchmark::DoNotOptimize(output);
  }
}
ABUZZ_MICRO(intake_one_of_500);

void lane_turn(benchmark::State& state) {
  delivery::LaneTurn turn;
  base::Nanos now = 0;
  for (auto _ : state) {
    const std::size_t lane = turn.next(delivery::LaneTurn::all, now += 100);
    turn.note_served(lane, 4096);
    benchmark::DoNotOptimize(lane);
  }
}
ABUZZ_MICRO(lane_turn);

void pool_acquire_and_release(benchmark::State& state) {
  constexpr mem::SizeClass classes[] = {{4096, 64, 64}, {65'536, 16, 16}};
  mem::ProcessMemory memory;
  mem::Pool pool(classes, memory);
  for (auto _ : state) {
    mem::Buffer buffer = pool.try_acquire(1000);
    benchmark::DoNotOptimize(buffer);
  }
}
ABUZZ_MICRO(pool_acquire_and_release);

}  // namespace
}  // namespace abuzz
