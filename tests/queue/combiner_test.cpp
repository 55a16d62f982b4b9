#include "bus/queue/combiner.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <thread>
#include <vector>

namespace abuzz::queue {
namespace {

TEST(Combiner, DoesTheWorkOfTheOneWhoComesToAFreeObject) {
  Combiner combiner;
  int steps = 0;
  EXPECT_TRUE(combiner.run([&] { ++steps; }));
  EXPECT_EQ(steps, 1);
  EXPECT_FALSE(combiner.is_raised());
}

TEST(Combiner, LeavesTheWorkToTheOneInside) {
  Combiner combiner;
  ASSERT_TRUE(combiner.try_enter());
  EXPECT_FALSE(combiner.try_enter());
  EXPECT_FALSE(combiner.run([] { FAIL() << "two threads inside"; }));
  EXPECT_TRUE(combiner.is_raised());
  combiner.leave();
  int steps = 0;
  EXPECT_TRUE(combiner.run_raised([&] { ++steps; }));
  EXPECT_EQ(steps, 1);
}

TEST(Combiner, DoesWorkThatIsRaisedDuringAStepInAnotherStep) {
  Combiner combiner;
  int steps = 0;
  combiner.run([&] {
    if (++steps < 3) combiner.raise();
  });
  EXPECT_EQ(steps, 3);
}

TEST(Combiner, LeavesWhatGoesOnWithoutAnEndToSomebodyElse) {
  Combiner combiner;
  int steps = 0;
  const auto endless = [&] {
    ++steps;
    combiner.raise();
  };
  EXPECT_TRUE(combiner.run(endless, 5));
  EXPECT_EQ(steps, 5);
  EXPECT_TRUE(combiner.is_raised());
  EXPECT_TRUE(combiner.try_enter());
}

// Many short rounds, because work can only be lost at the end of one: a later raise picks it up.
TEST(Combiner, LosesNoWorkWhenManyThreadsRaise) {
  constexpr int threads_count = 3;
  constexpr int rounds = 3'000;
  constexpr int items = 3;
  Combiner combiner;
  std::atomic<int> announced{0};  // relaxed: the order has to come from Combiner alone
  int done = 0;                   // plain: only who is inside touches it
  std::barrier round_end(threads_count, [&, round = 0]() mutable noexcept {
    ++round;
    EXPECT_EQ(done, round * threads_count * items);
    EXPECT_FALSE(combiner.is_raised());
  });
  auto work = [&] {
    for (int round = 0; round < rounds; ++round) {
      for (int item = 0; item < items; ++item) {
        announced.fetch_add(1, std::memory_order_relaxed);
        combiner.run([&] { done = announced.load(std::memory_order_relaxed); });
      }
      round_end.arrive_and_wait();
    }
  };
  std::vector<std::thread> threads;
  for (int count = 0; count < threads_count; ++count) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace abuzz::queue
