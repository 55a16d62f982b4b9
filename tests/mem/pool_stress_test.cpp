#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <barrier>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "bus/base/random.hpp"
#include "bus/mem/pool.hpp"

namespace abuzz::mem {
namespace {

std::uint64_t seed_of_this_run() {
  const char* const text = std::getenv("ABUZZ_SEED");
  return text == nullptr ? 20'260'101 : std::strtoull(text, nullptr, 10);
}

// Buffers change hands through these, in both directions at once.
class Exchange {
 public:
  ~Exchange() {
    for (auto& slot : slots_) delete slot.load(std::memory_order_relaxed);
  }
  // Pairs with itself: what the one who put the buffer there wrote into it.
  Buffer* swap(std::size_t slot, Buffer* buffer) {
    return slots_.at(slot).exchange(buffer, std::memory_order_acq_rel);
  }
  static constexpr std::size_t slot_count = 8;

 private:
  std::array<std::atomic<Buffer*>, slot_count> slots_{};
};

// Writes a value over the whole buffer that nobody else writes. If a block were handed out twice,
// or its memory given back under its holder, the value would not stay.
void stamp(const Buffer& buffer, std::uint64_t value) {
  std::memset(buffer.data(), static_cast<int>(value & 0xff), buffer.bytes());
  std::memcpy(buffer.data(), &value, sizeof value);
}
bool is_intact(const Buffer& buffer) {
  std::uint64_t value = 0;
  std::memcpy(&value, buffer.data(), sizeof value);
  const auto expected = static_cast<std::byte>(value & 0xff);
  return buffer.data()[buffer.bytes() - 1] == expected &&
         buffer.data()[buffer.bytes() / 2] == expected;
}

// Goes on until `is_over`, and for as many steps at least.
void churn(Pool& pool, Exchange& exchange, std::uint64_t seed, int steps,
           const std::atomic<bool>& is_over) {
  base::Random random(seed);
  std::vector<Buffer> held;
  std::size_t held_max = 1;
  for (int step = 0; step < steps || !is_over.load(std::memory_order_relaxed); ++step) {
    // Long tides: many held for a while, then few, so that classes grow and slabs fall idle.
    if (step % 512 == 0) held_max = random.below(4) == 0 ? 120 : 2;
    while (held.size() > held_max) held.pop_back();
    if (Buffer buffer = pool.try_acquire(16 + random.below(4000))) {
      stamp(buffer, random.next());
      held.push_back(std::move(buffer));
    }
    if (held.empty()) continue;
    const std::size_t chosen = random.below(held.size());
    ASSERT_TRUE(is_intact(held[chosen]));
    switch (random.below(4)) {
      case 0:
        held.push_back(held[chosen].share());
        break;
      case 1: {
        auto* const given = new Buffer(std::move(held[chosen]));
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(chosen));
        Buffer* const taken = exchange.swap(random.below(Exchange::slot_count), given);
        if (taken == nullptr) break;
        ASSERT_TRUE(is_intact(*taken));
        held.push_back(std::move(*taken));
        delete taken;
        break;
      }
      default:
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(chosen));
        break;
    }
  }
}

class PoolStressWithIdleSpan : public ::testing::TestWithParam<base::Nanos> {};

TEST_P(PoolStressWithIdleSpan, NoBlockIsEverInTwoHandsWhileThePoolGrowsAndShrinks) {
  const std::uint64_t seed = seed_of_this_run();
  SCOPED_TRACE(testing::Message() << "ABUZZ_SEED=" << seed);
  const base::Nanos idle_span = GetParam();
  const std::array<SizeClass, 3> classes{SizeClass{512, 4, 64}, SizeClass{1024, 2, 66},
                                         SizeClass{4096, 0, 100}};
  ProcessMemory memory;
  Pool pool(classes, memory, 16, idle_span);
  {
    Exchange exchange;
    std::atomic<bool> is_over{false};
    std::vector<std::thread> threads;
    for (std::uint64_t name = 0; name < 3; ++name) {
      threads.emplace_back([&, name] { churn(pool, exchange, seed + name, 100'000, is_over); });
    }
    // Time runs fast here. The others go on until slabs came and went often enough.
    base::Nanos now = base::second;
    while (pool.counters().shrunk_blocks < 200) {
      pool.maintain(now += base::millisecond);
      std::this_thread::yield();
    }
    is_over.store(true, std::memory_order_relaxed);
    for (std::thread& thread : threads) thread.join();
  }
  const PoolCounters counters = pool.counters();
  EXPECT_EQ(counters.bytes_out, 0u);
  EXPECT_GE(counters.grown_blocks, counters.shrunk_blocks);
  // With nobody left everything is in the free lists: nothing was lost.
  std::uint64_t free_bytes = 0;
  std::vector<Buffer> all;
  for (const SizeClass& one : classes) {
    while (Buffer buffer = pool.try_acquire(one.block_bytes)) {
      free_bytes += buffer.block_bytes();
      all.push_back(std::move(buffer));
    }
  }
  EXPECT_EQ(free_bytes, pool.counters().bytes_held);
}

// 0: every slab over the initial count is asked back at every scan, most while they are in use.
INSTANTIATE_TEST_SUITE_P(PoolStress, PoolStressWithIdleSpan,
                         ::testing::Values(0, 4 * base::millisecond));

TEST(PoolStress, TheLastOfManyHandlesReleasesOnceWhoeverDropsIt) {
  constexpr int rounds = 2'000;
  constexpr int buffers = 8;
  static std::atomic<int> releases{0};
  releases.store(0, std::memory_order_relaxed);
  ProcessMemory memory;
  std::array<std::array<std::byte, 8>, buffers> foreign{};
  Pool pool({}, memory, buffers);
  const AdoptedRelease count_release = [](void*, std::byte* bytes, std::size_t, void*) noexcept {
    bytes[0] = std::byte{1};  // plain: the one who releases comes after all who read
    releases.fetch_add(1, std::memory_order_relaxed);
  };
  std::array<std::vector<Buffer>, 3> handles;
  std::barrier turn(3);
  // All three read through their own handles and then drop them at about the same time.
  auto drop = [&](std::size_t name) {
    for (const Buffer& buffer : handles[name]) EXPECT_EQ(buffer.data()[0], std::byte{0});
    handles[name].clear();
  };
  auto play = [&](std::size_t name) {
    for (int round = 0; round < rounds; ++round) {
      turn.arrive_and_wait();
      drop(name);
      turn.arrive_and_wait();
    }
  };
  std::thread second([&] { play(1); });
  std::thread third([&] { play(2); });
  for (int round = 0; round < rounds; ++round) {
    for (auto& bytes : foreign) {
      bytes[0] = std::byte{0};
      Buffer buffer = pool.try_adopt(bytes.data(), bytes.size(), count_release, nullptr, nullptr);
      EXPECT_TRUE(static_cast<bool>(buffer));
      handles[1].push_back(buffer.share());
      handles[2].push_back(buffer.slice(0, 4));
      handles[0].push_back(std::move(buffer));
    }
    turn.arrive_and_wait();
    drop(0);
    turn.arrive_and_wait();
  }
  second.join();
  third.join();
  EXPECT_EQ(releases.load(), rounds * buffers);
}

}  // namespace
}  // namespace abuzz::mem
