#include <cstdlib>
#include <new>

#include "tests/link/link_bench.hpp"

// Counts what this thread allocates with new. libzmq's own allocations are by malloc.

namespace {
thread_local std::size_t allocations = 0;
}  // namespace

// Not inlined: the compiler would see free() meet new and warn.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace abuzz::link::test {
namespace {

class LinkAllocation : public testing::TestWithParam<Kind> {};

INSTANTIATE_TEST_SUITE_P(All, LinkAllocation, testing::Values(Kind::loop, Kind::ipc, Kind::tcp),
                         kind_name);

TEST_P(LinkAllocation, FramesTravelWithoutAllocatingAnythingOfOurs) {
  LinkBench bench(GetParam());
  const auto hub = bench.bind();
  const auto link = attach(bench, *hub, 1);
  std::size_t before = 0;
  const auto fill = [&bench](Frame& frame) {
    for (const std::size_t bytes : {20u, 300u, 8192u, 20000u}) frame.add(bench.buffer(bytes));
  };
  PeerId peer = 0;
  for (int round = 0; round < 100; ++round) {
    if (round == 50) before = allocations;
    // Several at a time, so that queues have something to hold.
    for (int count = 0; count < 4; ++count) {
      Frame up;
      Frame down;
      fill(up);
      fill(down);
      ASSERT_EQ(link->try_send(up), SendStatus::sent);
      ASSERT_EQ(hub->try_send(1, down), SendStatus::sent);
    }
    for (int count = 0; count < 4; ++count) {
      Frame frame;
      ASSERT_EQ(await(*hub, peer, frame), ReceiveStatus::received);
      ASSERT_EQ(await(*link, frame), ReceiveStatus::received);
      ASSERT_EQ(frame.part_count, 4u);
    }
  }
  EXPECT_EQ(allocations - before, 0u);
}

}  // namespace
}  // namespace abuzz::link::test
