#include "bus/queue/turn.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstdio>
#include <thread>
#include <vector>

#include "bus/base/doorbell.hpp"

namespace abuzz::queue {
namespace {

TEST(Turn, is_had_by_one_at_a_time) {
  Turn turn;
  EXPECT_TRUE(turn.try_enter(0));
  EXPECT_FALSE(turn.try_enter(1));
  EXPECT_TRUE(turn.is_marked(1));
  EXPECT_EQ(turn.leave(), Turn::bit(1));
  EXPECT_FALSE(turn.is_marked(1));
  EXPECT_TRUE(turn.try_enter(1));
  EXPECT_EQ(turn.leave(), 0u);
}

TEST(Turn, names_everybody_who_came_in_vain_once) {
  Turn turn;
  ASSERT_TRUE(turn.try_enter(3));
  for (const std::uint32_t member : {0u, 63u, 0u}) EXPECT_FALSE(turn.try_enter(member));
  EXPECT_EQ(turn.leave(), Turn::bit(0) | Turn::bit(63));
  ASSERT_TRUE(turn.try_enter(3));
  EXPECT_EQ(turn.leave(), 0u);
}

// Each member does all its work in turns, and sleeps for ever when it came in vain and nobody
// called it: a lost call is a test that does not end. What it writes inside is plain:
// ThreadSanitizer sees whether a turn hands it over.
TEST(Turn, leaves_nobody_asleep) {
  constexpr std::uint32_t members = 3;
  constexpr std::uint64_t turns_each = 20'000;
  Turn turn;
  std::array<base::Doorbell, members> bells;
  std::uint64_t turns_done = 0;  // plain: only who is inside touches it
  std::atomic<int> inside{0};    // relaxed: order has to come from Turn alone
  std::atomic<std::uint64_t> vain{0}, slept{0};
  const auto work = [&](std::uint32_t self) {
    for (std::uint64_t count = 0; count < turns_each;) {
      if (turn.try_enter(self)) {
        EXPECT_EQ(inside.fetch_add(1, std::memory_order_relaxed), 0);
        ++turns_done;
        ++count;
        inside.fetch_sub(1, std::memory_order_relaxed);
        for (Turn::Members woken = turn.leave(); woken != 0; woken &= woken - 1)
          bells[static_cast<std::size_t>(std::countr_zero(woken))].ring();
        continue;
      }
      vain.fetch_add(1, std::memory_order_relaxed);
      bells[self].arm();
      bool was_heard = false;
      if (turn.is_marked(self)) {
        slept.fetch_add(1, std::memory_order_relaxed);
        pollfd descriptor{bells[self].fd(), POLLIN, 0};
        was_heard = poll(&descriptor, 1, -1) == 1;
      }
      bells[self].disarm(was_heard);
    }
  };
  std::vector<std::thread> threads;
  for (std::uint32_t self = 0; self < members; ++self) threads.emplace_back(work, self);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(turns_done, members * turns_each);
  EXPECT_EQ(turn.leave(), 0u);
  std::printf("%llu times in vain, %llu times asleep\n",
              static_cast<unsigned long long>(vain.load()),
              static_cast<unsigned long long>(slept.load()));
}

}  // namespace
}  // namespace abuzz::queue
