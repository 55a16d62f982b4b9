#include "bus/queue/steal_queue.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace abuzz::queue::test {
namespace {

using Queue = StealQueue<std::uint64_t, 4>;

TEST(StealQueue, gives_in_order_what_was_pushed) {
  Queue queue;
  std::uint64_t item = 0;
  EXPECT_EQ(queue.try_take(item), Queue::Take::empty);
  for (std::uint64_t value = 1; value <= 4; ++value) EXPECT_TRUE(queue.try_push(value));
  EXPECT_EQ(queue.count(), 4u);
  for (std::uint64_t value = 1; value <= 4; ++value) {
    ASSERT_EQ(queue.try_take(item), Queue::Take::taken);
    EXPECT_EQ(item, value);
  }
  EXPECT_EQ(queue.try_take(item), Queue::Take::empty);
}

TEST(StealQueue, refuses_more_than_its_quota) {
  Queue queue;
  for (std::uint64_t value = 1; value <= 4; ++value) EXPECT_TRUE(queue.try_push(value));
  EXPECT_FALSE(queue.try_push(5));
  std::uint64_t item = 0;
  ASSERT_EQ(queue.try_take(item), Queue::Take::taken);
  EXPECT_TRUE(queue.try_push(5));
}

TEST(StealQueue, gives_each_item_to_one_of_many_takers) {
  constexpr std::uint64_t items = 20'000;
  constexpr int takers = 3;
  Queue queue;
  std::vector<std::atomic<int>> seen(items + 1);
  std::atomic<std::uint64_t> taken{0};
  std::vector<std::thread> threads;
  for (int taker = 0; taker < takers; ++taker) {
    threads.emplace_back([&] {
      std::uint64_t last = 0;
      while (taken < items) {
        std::uint64_t item = 0;
        if (queue.try_take(item) != Queue::Take::taken) {
          std::this_thread::yield();
          continue;
        }
        EXPECT_GT(item, last);
        last = item;
        ++seen[item];
        ++taken;
      }
    });
  }
  for (std::uint64_t value = 1; value <= items; ++value)
    while (!queue.try_push(value)) std::this_thread::yield();
  for (auto& thread : threads) thread.join();
  for (std::uint64_t value = 1; value <= items; ++value) EXPECT_EQ(seen[value], 1) << value;
  EXPECT_EQ(queue.count(), 0u);
}

}  // namespace
}  // namespace abuzz::queue::test
