#include <cstdint>

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
