#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "bus/mem/pool.hpp"

namespace abuzz::mem {
namespace {

using base::kib;
using base::mib;

std::size_t resident_pages(std::byte* memory, std::size_t bytes) {
  const auto page_bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((bytes + page_bytes - 1) / page_bytes);
  EXPECT_EQ(mincore(memory, bytes, pages.data()), 0);
  return static_cast<std::size_t>(
      std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; }));
}

// Remembers what a pool obtained.
class WatchedMemory final : public Memory {
 public:
  std::byte* obtain(std::size_t bytes) noexcept override {
    std::byte* const memory = process_.obtain(bytes);
    slabs_.push_back({memory, bytes});
    return memory;
  }
  void give_back(std::byte* memory, std::size_t bytes) noexcept override {
    process_.give_back(memory, bytes);
  }
  std::size_t resident() const {
    std::size_t pages = 0;
    for (const Slab& slab : slabs_) pages += resident_pages(slab.memory, slab.bytes);
    return pages;
  }

 private:
  struct Slab {
    std::byte* memory;
    std::size_t bytes;
  };
  ProcessMemory process_;
  std::vector<Slab> slabs_;
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
  EXPECT_EQ(memory.resident(), 64 * kib / static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
}

}  // namespace
}  // namespace abuzz::mem
