#include "bus/mem/buffer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <utility>

#include "bus/mem/pool.hpp"

namespace abuzz::mem {
namespace {

class BufferTest : public ::testing::Test {
 protected:
  std::uint64_t bytes_out() const { return pool_.counters().bytes_out; }

  ProcessMemory memory_;
  Pool pool_{std::array<SizeClass, 1>{SizeClass{512, 4, 4}}, memory_};
};

TEST_F(BufferTest, AnEmptyHandleHasNoBytes) {
  Buffer buffer;
  EXPECT_FALSE(static_cast<bool>(buffer));
  EXPECT_EQ(buffer.data(), nullptr);
  EXPECT_EQ(buffer.bytes(), 0u);
  EXPECT_EQ(buffer.block_bytes(), 0u);
  EXPECT_FALSE(buffer.is_sole());
  EXPECT_FALSE(static_cast<bool>(buffer.share()));
  buffer.narrow(0, 0);
  buffer.reset();
}

TEST_F(BufferTest, HasExactlyTheBytesAskedFor) {
  const Buffer buffer = pool_.try_acquire(100);
  EXPECT_EQ(buffer.bytes(), 100u);
  EXPECT_EQ(buffer.span().size(), 100u);
  EXPECT_EQ(buffer.block_bytes(), 512u);
  EXPECT_TRUE(buffer.is_sole());
}

TEST_F(BufferTest, SharedHandlesSeeTheSameBytesAndKeepTheBlock) {
  Buffer buffer = pool_.try_acquire(5);
  std::memcpy(buffer.data(), "abcde", 5);
  Buffer whole = buffer.share();
  Buffer middle = buffer.slice(1, 3);
  EXPECT_FALSE(buffer.is_sole());
  EXPECT_EQ(whole.data(), buffer.data());
  EXPECT_EQ(std::memcmp(middle.data(), "bcd", 3), 0);
  buffer.reset();
  whole.reset();
  EXPECT_TRUE(middle.is_sole());
  EXPECT_EQ(bytes_out(), 512u);
  EXPECT_EQ(std::memcmp(middle.data(), "bcd", 3), 0);
  middle.reset();
  EXPECT_EQ(bytes_out(), 0u);
}

TEST_F(BufferTest, SlicesOfSlicesAndNarrowingCountFromWhatTheHandleCovers) {
  Buffer buffer = pool_.try_acquire(8);
  std::memcpy(buffer.data(), "01234567", 8);
  Buffer inner = buffer.slice(2, 5).slice(1, 3);
  EXPECT_EQ(std::memcmp(inner.data(), "345", 3), 0);
  inner.narrow(1, 1);
  EXPECT_EQ(inner.bytes(), 1u);
  EXPECT_EQ(*inner.data(), std::byte{'4'});
  EXPECT_EQ(inner.slice(1, 0).bytes(), 0u);
}

TEST_F(BufferTest, MovingHandsTheBlockOver) {
  Buffer first = pool_.try_acquire(1);
  Buffer second = pool_.try_acquire(2);
  const std::byte* const bytes = first.data();
  second = std::move(first);
  EXPECT_EQ(second.data(), bytes);
  EXPECT_FALSE(static_cast<bool>(first));  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(bytes_out(), 512u);
  Buffer third(std::move(second));
  Buffer& alias = third;
  third = std::move(alias);
  EXPECT_EQ(third.data(), bytes);
  EXPECT_EQ(third.bytes(), 1u);
}

TEST_F(BufferTest, AHandleMayBeMovedOntoASliceOfItself) {
  Buffer buffer = pool_.try_acquire(8);
  std::memcpy(buffer.data(), "01234567", 8);
  buffer = buffer.slice(4, 2);
  EXPECT_TRUE(buffer.is_sole());
  EXPECT_EQ(std::memcmp(buffer.data(), "45", 2), 0);
}

using BufferDeathTest = BufferTest;

TEST_F(BufferDeathTest, ADoubleReleaseIsCaught) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Buffer buffer = pool_.try_acquire(1);
        // A second handle that nobody counted, as a stray copy of the bytes would make one.
        alignas(Buffer) std::byte stray[sizeof(Buffer)];
        std::memcpy(stray, static_cast<void*>(&buffer), sizeof stray);
        buffer.reset();
        reinterpret_cast<Buffer*>(stray)->reset();
      },
      "before != 0");
}

TEST_F(BufferDeathTest, ASliceOutsideTheBytesIsCaught) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Buffer buffer = pool_.try_acquire(10);
  EXPECT_DEATH(static_cast<void>(buffer.slice(8, 3)), "bytes_ - offset");
  EXPECT_DEATH(static_cast<void>(buffer.slice(11, 0)), "offset <= bytes_");
  EXPECT_DEATH(static_cast<void>(buffer.slice(1, ~std::size_t{0})), "bytes_ - offset");
}

TEST(PoolDeathTest, ABufferThatOutlivesItsPoolIsCaught) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        ProcessMemory memory;
        Buffer buffer;
        Pool pool(std::array<SizeClass, 1>{SizeClass{512, 4, 4}}, memory);
        buffer = pool.try_acquire(1);
      },
      "hits_");
}

}  // namespace
}  // namespace abuzz::mem
