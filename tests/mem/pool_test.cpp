#include "bus/mem/pool.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <vector>

namespace abuzz::mem {
namespace {

using base::kib;

constexpr base::Nanos idle_span = 10 * base::second;

// Counts what a pool holds, and says no when told to.
class CountedMemory final : public Memory {
 public:
  std::byte* obtain(std::size_t bytes) noexcept override {
    if (is_exhausted) return nullptr;
    std::byte* const memory = process_.obtain(bytes);
    held_[memory] = bytes;
    return memory;
  }
  void give_back(std::byte* memory, std::size_t bytes) noexcept override {
    EXPECT_EQ(held_.at(memory), bytes);
    held_.erase(memory);
    process_.give_back(memory, bytes);
  }
  void rest(std::byte* memory, std::size_t bytes) noexcept override {
    EXPECT_EQ(held_.at(memory), bytes);
    process_.rest(memory, bytes);
    rested_bytes += bytes;
  }
  std::size_t held_bytes() const {
    std::size_t sum = 0;
    for (const auto& [memory, bytes] : held_) sum += bytes;
    return sum;
  }

  bool is_exhausted = false;
  std::size_t rested_bytes = 0;

 private:
  ProcessMemory process_;
  std::map<std::byte*, std::size_t> held_;
};

class PoolTest : public ::testing::Test {
 protected:
  std::vector<Buffer> acquire_all(Pool& pool, std::size_t bytes) {
    std::vector<Buffer> buffers;
    while (Buffer buffer = pool.try_acquire(bytes)) buffers.push_back(std::move(buffer));
    return buffers;
  }
  // Calls maintain() as a thread would, every second, and returns the changes.
  std::size_t maintain_for(Pool& pool, base::Nanos span) {
    std::size_t changes = 0;
    for (const base::Nanos end = now_ + span; now_ < end; now_ += base::second) {
      changes += pool.maintain(now_);
    }
    return changes;
  }

  CountedMemory memory_;
  base::Nanos now_ = base::second;
};

TEST_F(PoolTest, ServesFromTheSmallestClassThatFitsAndOneStepUp) {
  const std::array<SizeClass, 3> classes{SizeClass{512, 1, 1}, SizeClass{4096, 1, 1},
                                         SizeClass{16384, 1, 1}};
  Pool pool(classes, memory_);
  EXPECT_EQ(pool.block_bytes_max(), 16384u);
  const Buffer first = pool.try_acquire(512);
  const Buffer another = pool.try_acquire(512);
  EXPECT_EQ(first.block_bytes(), 512u);
  EXPECT_EQ(another.block_bytes(), 4096u);
  EXPECT_FALSE(static_cast<bool>(pool.try_acquire(1))) << "not two steps up";
  EXPECT_EQ(pool.try_acquire(513).block_bytes(), 16384u);
  EXPECT_FALSE(static_cast<bool>(pool.try_acquire(16385)));
  EXPECT_EQ(pool.try_acquire(0).bytes(), 0u) << "the bigger block came home";
}

TEST_F(PoolTest, WhoCanWaitLeavesAQuarterOfEachClassToTheOthers) {
  CountedMemory memory;
  const std::array<SizeClass, 1> classes{{{1024, 16, 16}}};
  Pool pool(classes, memory);
  std::vector<Buffer> spare;
  while (Buffer buffer = pool.try_acquire_spare(100)) spare.push_back(std::move(buffer));
  EXPECT_EQ(spare.size(), 12u);
  EXPECT_EQ(acquire_all(pool, 100).size(), 4u);
  spare.pop_back();
  EXPECT_TRUE(pool.try_acquire_spare(100));
}

TEST_F(PoolTest, BlocksAreAlignedForAnyHeader) {
  const std::array<SizeClass, 1> classes{SizeClass{512, 16, 16}};
  Pool pool(classes, memory_);
  for (const Buffer& buffer : acquire_all(pool, 1)) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0u);
  }
}

TEST_F(PoolTest, StartsWithExactlyTheInitialCount) {
  for (const std::uint32_t initial : {1u, 2u, 3u, 7u, 100u, 256u, 1000u}) {
    const std::array<SizeClass, 1> classes{SizeClass{512, initial, 2000}};
    Pool pool(classes, memory_);
    EXPECT_EQ(acquire_all(pool, 1).size(), initial);
    EXPECT_EQ(pool.counters().bytes_held, initial * 512u);
  }
}

TEST_F(PoolTest, CountsHitsMissesAndBytes) {
  const std::array<SizeClass, 2> classes{SizeClass{512, 2, 2}, SizeClass{4096, 1, 1}};
  Pool pool(classes, memory_);
  {
    const std::vector<Buffer> buffers = acquire_all(pool, 10);
    EXPECT_EQ(buffers.size(), 3u);
    const PoolCounters counters = pool.counters();
    EXPECT_EQ(counters.hits, 3u);
    EXPECT_EQ(counters.misses, 1u) << "a step up is not a miss";
    EXPECT_EQ(counters.bytes_out, 2 * 512u + 4096u);
    EXPECT_EQ(counters.bytes_held, 2 * 512u + 4096u);
  }
  EXPECT_EQ(pool.counters().bytes_out, 0u);
  EXPECT_EQ(memory_.held_bytes(), 2 * 512u + 4096u);
}

TEST_F(PoolTest, GrowsByDoublingUpToTheCapAfterMisses) {
  const std::array<SizeClass, 1> classes{SizeClass{512, 2, 11}};
  Pool pool(classes, memory_);
  std::vector<std::size_t> counts;
  for (int round = 0; round < 5; ++round) {
    counts.push_back(acquire_all(pool, 1).size());
    pool.maintain(now_);
  }
  EXPECT_EQ(counts, (std::vector<std::size_t>{2, 4, 8, 11, 11}));
  EXPECT_EQ(pool.counters().grown_blocks, 9u);
  EXPECT_EQ(pool.maintain(now_), 0u) << "nothing missed since";
}

TEST_F(PoolTest, AClassThatStartsEmptyGrowsAtItsFirstMiss) {
  const std::array<SizeClass, 1> classes{SizeClass{1 << 20, 0, 3}};
  Pool pool(classes, memory_);
  EXPECT_EQ(pool.maintain(now_), 0u);
  EXPECT_TRUE(acquire_all(pool, 1).empty());
  EXPECT_EQ(pool.maintain(now_), 1u);
  EXPECT_EQ(acquire_all(pool, 1).size(), 1u);
}

TEST_F(PoolTest, GivesIdleSlabsBackDownToTheInitialCount) {
  const std::array<SizeClass, 1> classes{SizeClass{512, 4, 64}};
  Pool pool(classes, memory_, 0, idle_span);
  for (int round = 0; round < 5; ++round) {
    acquire_all(pool, 1);
    pool.maintain(now_);
  }
  ASSERT_EQ(memory_.held_bytes(), 64 * 512u);
  EXPECT_EQ(maintain_for(pool, idle_span - base::second), 0u) << "too early";
  maintain_for(pool, 2 * idle_span);
  EXPECT_EQ(memory_.held_bytes(), 4 * 512u);
  EXPECT_EQ(pool.counters().shrunk_blocks, 60u);
  EXPECT_EQ(pool.counters().bytes_held, 4 * 512u);
  EXPECT_EQ(acquire_all(pool, 1).size(), 4u);
  // And it grows again, into the holes.
  pool.maintain(now_);
  EXPECT_EQ(acquire_all(pool, 1).size(), 8u);
}

TEST_F(PoolTest, KeepsSlabsOfWhichABlockIsOutOrWasUsedMeanwhile) {
  const std::array<SizeClass, 1> classes{SizeClass{512, 1, 8}};  // a slab is one block
  Pool pool(classes, memory_, 0, idle_span);
  for (int round = 0; round < 4; ++round) {
    acquire_all(pool, 1);
    pool.maintain(now_);
  }
  std::vector<Buffer> all = acquire_all(pool, 1);
  ASSERT_EQ(all.size(), 8u);
  pool.maintain(now_);
  all.resize(3);
  for (int count = 0; count < 30; ++count) {
    maintain_for(pool, base::second);
    const Buffer touched = pool.try_acquire(1);  // the same one each time: last in, first out
    EXPECT_TRUE(static_cast<bool>(touched));
  }
  EXPECT_EQ(memory_.held_bytes(), 4 * 512u) << "three are out, one is in use now and then";
}

TEST_F(PoolTest, StartsSmallerWhenThereIsNoMemoryAndCatchesUpLater) {
  const std::array<SizeClass, 1> classes{SizeClass{512, 4, 4}};
  memory_.is_exhausted = true;
  Pool pool(classes, memory_);
  EXPECT_TRUE(acquire_all(pool, 1).empty());
  EXPECT_EQ(pool.maintain(now_), 0u);
  memory_.is_exhausted = false;
  EXPECT_TRUE(acquire_all(pool, 1).empty());
  EXPECT_EQ(pool.maintain(now_), 1u);
  EXPECT_EQ(acquire_all(pool, 1).size(), 4u);
}

struct Foreign {
  int released = 0;
  void* cookie = nullptr;
  static void release(void* context, std::byte* memory, std::size_t bytes, void* cookie) noexcept {
    auto* const self = static_cast<Foreign*>(context);
    EXPECT_EQ(memory, self->bytes);
    EXPECT_EQ(bytes, sizeof self->bytes);
    self->cookie = cookie;
    ++self->released;
  }
  std::byte bytes[24];
};

TEST_F(PoolTest, AdoptedMemoryGoesBackToItsOwnerWithTheLastHandle) {
  Pool pool({}, memory_, 2);
  Foreign foreign;
  int cookie = 0;
  Buffer buffer =
      pool.try_adopt(foreign.bytes, sizeof foreign.bytes, &Foreign::release, &foreign, &cookie);
  ASSERT_TRUE(static_cast<bool>(buffer));
  EXPECT_EQ(buffer.data(), foreign.bytes);
  EXPECT_EQ(buffer.block_bytes(), sizeof foreign.bytes);
  Buffer slice = buffer.slice(8, 8);
  buffer.reset();
  EXPECT_EQ(foreign.released, 0);
  slice.reset();
  EXPECT_EQ(foreign.released, 1);
  EXPECT_EQ(foreign.cookie, &cookie);
}

TEST_F(PoolTest, RefusesToAdoptMoreThanItHasHeadsFor) {
  Pool pool({}, memory_, 2);
  Foreign foreign;
  auto adopt = [&] {
    return pool.try_adopt(foreign.bytes, sizeof foreign.bytes, &Foreign::release, &foreign,
                          nullptr);
  };
  Buffer first = adopt();
  Buffer another = adopt();
  EXPECT_FALSE(static_cast<bool>(adopt()));
  EXPECT_EQ(foreign.released, 0) << "a refusal leaves the memory with its owner";
  EXPECT_EQ(pool.counters().misses, 1u);
  first.reset();
  EXPECT_TRUE(static_cast<bool>(adopt()));
}

}  // namespace
}  // namespace abuzz::mem
