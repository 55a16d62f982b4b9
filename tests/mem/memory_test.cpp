#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "bus/mem/pool.hpp"

namespace abuzz::mem {
namespace {

using base::kib;
using base::mib;

std::size_t page_bytes() {
  return static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

std::size_t resident_pages(std::byte* memory, std::size_t bytes) {
  std::vector<unsigned char> pages((bytes + page_bytes() - 1) / page_bytes());
  EXPECT_EQ(mincore(memory, bytes, pages.data()), 0);
  return static_cast<std::size_t>(
      std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; }));
}

// Remembers what a pool obtained.
class WatchedMemory final : public Memory {
 public:
  std::byte* obtain(std::size_t bytes) noexcept override {
    std::byte* const memory = process_.obtain(bytes);
    slabs_[memory] = bytes;
    return memory;
  }
  void give_back(std::byte* memory, std::size_t bytes) noexcept override {
    slabs_.erase(memory);
    process_.give_back(memory, bytes);
  }
  void rest(std::byte* memory, std::size_t bytes) noexcept override {
    process_.rest(memory, bytes);
  }
  std::size_t resident() const {
    std::size_t pages = 0;
    for (const auto& [slab, bytes] : slabs_) pages += resident_pages(slab, bytes);
    return pages;
  }

 private:
  ProcessMemory process_;
  std::map<std::byte*, std::size_t> slabs_;
};

TEST(ProcessMemory, UntouchedPagesCostNothing) {
  ProcessMemory memory;
  std::byte* const slab = memory.obtain(64 * mib);
  ASSERT_NE(slab, nullptr);
  EXPECT_EQ(resident_pages(slab, 64 * mib), 0u);
  slab[5 * mib] = std::byte{1};
  EXPECT_EQ(resident_pages(slab, 64 * mib), 1u) << "no huge page either";
  memory.give_back(slab, 64 * mib);
}

TEST(ProcessMemory, IsPageAlignedAndZeroed) {
  ProcessMemory memory;
  std::byte* const slab = memory.obtain(100);
  ASSERT_NE(slab, nullptr);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slab) % 4096, 0u);
  EXPECT_TRUE(std::all_of(slab, slab + 100, [](std::byte byte) { return byte == std::byte{0}; }));
  memory.give_back(slab, 100);
}

TEST(ProcessMemory, AnswersNullWhereThereIsNoAddressSpace) {
  ProcessMemory memory;
  EXPECT_EQ(memory.obtain(std::size_t{1} << 60), nullptr);
}

TEST(ProcessMemory, RestingMemoryCostsNothingAndCanBeUsedAgain) {
  ProcessMemory memory;
  std::byte* const slab = memory.obtain(64 * kib);
  ASSERT_NE(slab, nullptr);
  std::memset(slab, 1, 64 * kib);
  memory.rest(slab, 64 * kib);
  EXPECT_EQ(resident_pages(slab, 64 * kib), 0u);
  std::memset(slab, 2, 1);
  EXPECT_EQ(resident_pages(slab, 64 * kib), 1u);
  memory.give_back(slab, 64 * kib);
}

TEST(PoolMemory, ABurstLeavesNothingResidentOnceItsSpanIsOver) {
  WatchedMemory memory;
  const std::array<SizeClass, 2> classes{SizeClass{4 * kib, 64, 256}, SizeClass{64 * kib, 8, 64}};
  Pool pool(classes, memory);
  std::mt19937 random(1);
  for (int round = 0; round < 4; ++round) {
    std::vector<Buffer> burst;
    while (Buffer buffer = pool.try_acquire(64 * kib)) {
      std::memset(buffer.data(), 1, buffer.bytes());
      burst.push_back(std::move(buffer));
    }
    while (Buffer buffer = pool.try_acquire(1)) {
      std::memset(buffer.data(), 1, 4 * kib);
      burst.push_back(std::move(buffer));
    }
    std::shuffle(burst.begin(), burst.end(), random);
    burst.clear();
    pool.maintain(base::second);
  }
  const Buffer kept = pool.try_acquire(1);
  for (int now = 1; now < 10; ++now) {
    std::array<Buffer, 16> often;
    for (Buffer& buffer : often) {
      buffer = pool.try_acquire(1);
      std::memset(buffer.data(), 1, 4 * kib);
    }
    for (Buffer& buffer : often) buffer.reset();
    pool.maintain(now * base::second);
  }
  // The slab of the block that is out, and the one in which those that are in use were gathered.
  EXPECT_LE(memory.resident() * page_bytes(), 2 * 256 * kib);
  EXPECT_GT(memory.resident() * page_bytes(), 0u);
}

TEST(PoolMemory, ThePoolTouchesNoByteThatNobodyUsed) {
  WatchedMemory memory;
  const std::array<SizeClass, 2> classes{SizeClass{512, 256, 256}, SizeClass{64 * kib, 64, 64}};
  Pool pool(classes, memory);
  EXPECT_EQ(memory.resident(), 0u);
  {
    std::vector<Buffer> buffers;
    for (int count = 0; count < 64; ++count) buffers.push_back(pool.try_acquire(40 * kib));
    buffers.clear();
    EXPECT_EQ(memory.resident(), 0u);
    // The same block comes again and again: only its pages become memory.
    for (int count = 0; count < 1000; ++count) {
      Buffer buffer = pool.try_acquire(64 * kib);
      std::memset(buffer.data(), count, buffer.bytes());
    }
  }
  EXPECT_EQ(memory.resident(), 64 * kib / page_bytes());
}

}  // namespace
}  // namespace abuzz::mem
