#pragma once

#include <benchmark/benchmark.h>

#include <cstdlib>

namespace abuzz::bench {

// Where somebody counts instead of timing (bench/micro/count), so many iterations, no more and no
// fewer; otherwise as many as Google Benchmark finds right.
inline void fixed_or_timed(benchmark::internal::Benchmark* micro) {
  const char* iterations = std::getenv("ABUZZ_MICRO_ITERATIONS");
  if (iterations != nullptr) micro->Iterations(std::atol(iterations));
}

}  // namespace abuzz::bench

#define ABUZZ_MICRO(function) BENCHMARK(function)->Apply(abuzz::bench::fixed_or_timed)
