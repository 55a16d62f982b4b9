#include "bus/base/event_count.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "bus/base/cache_line.hpp"
#include "bus/base/clock.hpp"
#include "tests/base/spin_barrier.hpp"

namespace abuzz::base {
namespace {

// Long enough that only a lost wake-up can use it up.
constexpr Nanos patience = 30 * second;

TEST(EventCount, WaitReturnsAtOnceWhenANotifyCameAfterPrepare) {
  EventCount events;
  const EventCount::Key key = events.prepare();
  events.notify_all();
  EXPECT_TRUE(events.wait(key, patience));
}

TEST(EventCount, WaitTimesOutWhenNobodyNotifies) {
  EventCount events;
  SystemClock clock;
  events.notify_all();  // before prepare: does not count
  const Nanos start = clock.now();
  EXPECT_FALSE(events.wait(events.prepare(), 5 * millisecond));
  EXPECT_GE(clock.now() - start, 5 * millisecond);
  EXPECT_FALSE(events.wait(events.prepare(), 0));
}

TEST(EventCount, AllWaitersWakeOfOneNotify) {
  EventCount events;
  std::atomic<bool> is_open{false};
  std::atomic<int> woken{0};
  std::vector<std::thread> waiters;
  for (int count = 0; count < 4; ++count) {
    waiters.emplace_back([&] {
      while (true) {
        const EventCount::Key key = events.prepare();
        if (is_open.load(std::memory_order_relaxed)) break;
        ASSERT_TRUE(events.wait(key, patience));
      }
      events.cancel();
      woken.fetch_add(1, std::memory_order_relaxed);
    });
  }
  is_open.store(true, std::memory_order_relaxed);
  events.notify_all();
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_EQ(woken.load(), 4);
}

// Two threads take turns. The turn is a relaxed word: the order has to come from EventCount alone.
TEST(EventCount, LosesNoWakeUpBetweenTwoThreadsThatTakeTurns) {
  constexpr int turns = 20'000;
  EventCount events;
  std::atomic<int> turn{0};
  long shared_sum = 0;  // plain on purpose: ThreadSanitizer sees whether the turns are ordered
  auto play = [&](int parity) {
    for (int mine = parity; mine < turns; mine += 2) {
      while (true) {
        const EventCount::Key key = events.prepare();
        if (turn.load(std::memory_order_acquire) == mine) break;
        ASSERT_TRUE(events.wait(key, patience)) << "a wake-up was lost at turn " << mine;
      }
      events.cancel();
      shared_sum += mine;
      turn.store(mine + 1, std::memory_order_release);
      events.notify_all();
    }
  };
  std::thread odd([&] { play(1); });
  play(0);
  odd.join();
  EXPECT_EQ(shared_sum, long{turns} * (turns - 1) / 2);
}

// The two race from the same nanosecond: a notifier that looks for waiters before its own store has
// left the processor would sleep through it.
TEST(EventCount, LosesNoWakeUpWhenPreparingAndNotifyingRace) {
  constexpr int rounds = 10'000;
  EventCount events;
  // Relaxed: the order has to come from EventCount alone. On a line of its own: a store that waits
  // for its line is the one that a load can overtake.
  alignas(writer_distance_bytes) std::atomic<int> posted{0};
  testing::SpinBarrier start(2);
  std::thread notifier([&] {
    for (int round = 1; round <= rounds; ++round) {
      start.arrive_and_wait();
      testing::spin(round * 7 % 509);
      posted.store(round, std::memory_order_relaxed);
      events.notify_all();
    }
  });
  bool is_lost = false;
  for (int round = 1; round <= rounds; ++round) {
    start.arrive_and_wait();
    if (is_lost) continue;
    testing::spin(round * 11 % 499);
    while (true) {
      const EventCount::Key key = events.prepare();
      if (posted.load(std::memory_order_relaxed) == round) break;
      is_lost = !events.wait(key, patience);
      if (is_lost) break;
    }
    EXPECT_FALSE(is_lost) << "in round " << round;
    if (!is_lost) events.cancel();
  }
  notifier.join();
}

TEST(EventCount, LosesNoWakeUpWithManyNotifiersAndWaiters) {
  constexpr int notifiers_count = 3;
  constexpr int waiters_count = 3;
  constexpr int posts = 5'000;
  constexpr int total = notifiers_count * posts;
  EventCount events;
  std::atomic<int> posted{0};
  std::atomic<int> taken{0};
  // A waiter takes a post where there is one and sleeps otherwise.
  auto take_posts = [&] {
    while (true) {
      const EventCount::Key key = events.prepare();
      int before = taken.load(std::memory_order_relaxed);
      if (before == total) return events.cancel();
      if (before < posted.load(std::memory_order_relaxed)) {
        events.cancel();
        if (taken.compare_exchange_strong(before, before + 1) && before + 1 == total) {
          events.notify_all();  // the other waiters are done
        }
        continue;
      }
      ASSERT_TRUE(events.wait(key, patience)) << "a wake-up was lost";
    }
  };
  std::vector<std::thread> threads;
  for (int count = 0; count < waiters_count; ++count) threads.emplace_back(take_posts);
  for (int count = 0; count < notifiers_count; ++count) {
    threads.emplace_back([&] {
      for (int post = 0; post < posts; ++post) {
        posted.fetch_add(1, std::memory_order_relaxed);
        events.notify_all();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken.load(), total);
}

}  // namespace
}  // namespace abuzz::base
