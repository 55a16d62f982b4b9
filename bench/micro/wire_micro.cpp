#include <cstring>
#include <vector>

#include "bench/micro/micro.hpp"
#include "bus/base/units.hpp"
#include "bus/mem/pool.hpp"
#include "bus/topic.hpp"
#include "bus/wire/batch.hpp"
#include "bus/wire/compress.hpp"

// Batches: what building, sealing, verifying and compressing costs, for 64 messages of 64 B; and
// what finding the subscriptions of a topic does.

namespace abuzz::wire {
namespace {

constexpr std::uint32_t messages = 64;
constexpr std::size_t message_bytes = 64;
constexpr std::string_view topic = "sensors.hall.temperature";

mem::Pool& shared_pool() {
  static constexpr mem::SizeClass classes[] = {{16'384, 16, 64}, {262'144, 4, 16}};
  static mem::ProcessMemory memory;
  static mem::Pool pool(classes, memory);
  return pool;
}

Envelope envelope_of_stream() {
  Envelope envelope;
  envelope.origin = 1;
  envelope.agent_id = 2;
  envelope.publisher_id = 3;
  envelope.publisher_epoch = 1;
  envelope.first_seq = 1;
  return envelope;
}

// Text that a compressor likes, and that differs from message to message.
BatchBuilder::Sealed build(mem::Buffer& memory) {
  BatchBuilder builder(memory.span(), messages, topic.size());
  for (std::uint32_t message = 0; message < messages; ++message) {
    const auto payload = builder.claim(message_bytes);
    std::memset(payload.data(), 'a' + static_cast<int>(message % 16), message_bytes);
    builder.commit_entry(message_bytes, 0, 0, message);
  }
  return builder.seal(messages, envelope_of_stream(), topic);
}

std::size_t memory_bytes() {
  return BatchBuilder::bytes_needed(messages, topic.size(), messages * message_bytes);
}

std::vector<std::byte> sealed_bytes() {
  mem::Buffer memory = shared_pool().try_acquire(memory_bytes());
  const BatchBuilder::Sealed sealed = build(memory);
  return {memory.data() + sealed.offset, memory.data() + sealed.offset + sealed.bytes};
}

void count_messages(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * std::int64_t{messages});
}

void batch_build_and_seal(benchmark::State& state) {
  mem::Buffer memory = shared_pool().try_acquire(memory_bytes());
  for (auto _ : state) {
    const BatchBuilder::Sealed sealed = build(memory);
    benchmark::DoNotOptimize(sealed.bytes);
  }
  count_messages(state);
}
ABUZZ_MICRO(batch_build_and_seal);

void batch_head_parse(benchmark::State& state) {
  const std::vector<std::byte> bytes = sealed_bytes();
  for (auto _ : state) {
    BatchHead head;
    if (BatchHead::parse(bytes, head) != Reject::none) state.SkipWithError("refused");
    benchmark::DoNotOptimize(head.batch_bytes);
  }
}
ABUZZ_MICRO(batch_head_parse);

void batch_verify(benchmark::State& state) {
  const std::vector<std::byte> bytes = sealed_bytes();
  for (auto _ : state) {
    mem::Buffer slice = shared_pool().try_acquire(bytes.size());
    std::memcpy(slice.data(), bytes.data(), bytes.size());
    BatchView view;
    if (verify(std::move(slice), shared_pool(), {}, view) != Reject::none)
      state.SkipWithError("refused");
    benchmark::DoNotOptimize(view.count());
  }
  count_messages(state);
}
ABUZZ_MICRO(batch_verify);

void batch_compress(benchmark::State& state) {
  const std::vector<std::byte> bytes = sealed_bytes();
  for (auto _ : state) {
    const mem::Buffer smaller = try_compress(bytes, shared_pool());
    if (!smaller) state.SkipWithError("did not pay");
    benchmark::DoNotOptimize(smaller.span().size());
  }
  count_messages(state);
}
ABUZZ_MICRO(batch_compress);

// A publication meets the subscriptions of a node once; this is what each of them costs.
void route_lookup(benchmark::State& state) {
  constexpr std::string_view patterns[] = {"sensors.hall.temperature", "sensors.*.temperature",
                                           "sensors.>", "orders.new", "sensors.hall.humidity"};
  for (auto _ : state)
    for (const std::string_view pattern : patterns)
      benchmark::DoNotOptimize(matches(pattern, topic));
  state.SetItemsProcessed(state.iterations() * std::int64_t{std::size(patterns)});
}
ABUZZ_MICRO(route_lookup);

}  // namespace
}  // namespace abuzz::wire

BENCHMARK_MAIN();
