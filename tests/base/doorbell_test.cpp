#include "bus/base/doorbell.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <atomic>
#include <thread>
#include <vector>

#include "bus/base/cache_line.hpp"
#include "tests/base/spin_barrier.hpp"

namespace abuzz::base {
namespace {

bool is_readable(const Doorbell& bell, int timeout_ms = 0) {
  pollfd descriptor{bell.fd(), POLLIN, 0};
  return poll(&descriptor, 1, timeout_ms) == 1;
}

TEST(Doorbell, IsSilentUnlessItsOwnerIsAboutToSleep) {
  Doorbell bell;
  ASSERT_TRUE(bell.is_open());
  bell.ring();
  EXPECT_FALSE(is_readable(bell));
  bell.arm();
  EXPECT_FALSE(is_readable(bell));
  bell.ring();
  EXPECT_TRUE(is_readable(bell));
}

TEST(Doorbell, DisarmEmptiesTheDescriptorThatWasHeard) {
  Doorbell bell;
  for (int round = 0; round < 3; ++round) {
    bell.arm();
    bell.ring();
    bell.ring();  // one write for many rings
    EXPECT_TRUE(is_readable(bell));
    bell.disarm(true);
    EXPECT_FALSE(is_readable(bell));
    bell.ring();
    EXPECT_FALSE(is_readable(bell)) << "nobody is about to sleep any more";
  }
}

TEST(Doorbell, RingAlwaysMakesTheNextPollReturnEvenWhenUnarmed) {
  Doorbell bell;
  bell.ring_always();
  bell.arm();
  EXPECT_TRUE(is_readable(bell));
  bell.disarm(true);
  EXPECT_FALSE(is_readable(bell));
}

TEST(Doorbell, ARingThatWasNotPolledForEndsOnePollInVain) {
  Doorbell bell;
  bell.arm();
  bell.ring();
  bell.disarm(false);  // the work was found before
  bell.arm();
  const bool was_heard = is_readable(bell);
  EXPECT_TRUE(was_heard);
  bell.disarm(was_heard);
  bell.arm();
  EXPECT_FALSE(is_readable(bell));
}

Doorbell* signalled_bell = nullptr;

TEST(Doorbell, RingAlwaysWorksInASignalHandlerAndKeepsErrno) {
  Doorbell bell;
  signalled_bell = &bell;
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) { signalled_bell->ring_always(); };
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
  errno = EXDEV;
  ASSERT_EQ(raise(SIGUSR1), 0);
  EXPECT_EQ(errno, EXDEV);
  EXPECT_TRUE(is_readable(bell));
  ASSERT_EQ(sigaction(SIGUSR1, &before, nullptr), 0);
}

TEST(Doorbell, LosesNoWakeUpWithManyRingers) {
  constexpr int ringers_count = 3;
  constexpr int rings = 10'000;
  constexpr int total = ringers_count * rings;
  Doorbell bell;
  std::atomic<int> work{0};  // relaxed: the order has to come from Doorbell alone
  std::vector<std::thread> ringers;
  for (int count = 0; count < ringers_count; ++count) {
    ringers.emplace_back([&] {
      for (int ring = 0; ring < rings; ++ring) {
        work.fetch_add(1, std::memory_order_relaxed);
        bell.ring();
      }
    });
  }
  int done = 0;
  int vain_wake_ups = 0;
  while (done < total) {
    bell.arm();
    bool was_rung = false;
    if (work.load(std::memory_order_relaxed) == done) {
      was_rung = is_readable(bell, 30'000);
      EXPECT_TRUE(was_rung) << "a wake-up was lost after " << done;
      if (!was_rung) break;
    }
    bell.disarm(was_rung);
    const int now = work.load(std::memory_order_relaxed);
    vain_wake_ups += now == done ? 1 : 0;
    done = now;
  }
  for (std::thread& ringer : ringers) ringer.join();
  EXPECT_EQ(done, total);
  // A late write may wake in vain, once a ring; a descriptor that stays readable would spin.
  EXPECT_LE(vain_wake_ups, total);
}

// One ring and one sleep a round, from the same nanosecond.
TEST(Doorbell, NeitherSleepsThroughARingNorStaysReadableWhenTheTwoRace) {
  constexpr int rounds = 10'000;
  Doorbell bell;
  // Relaxed: the order has to come from Doorbell alone. On a line of its own: a store that waits
  // for its line is the one that a load can overtake.
  alignas(writer_distance_bytes) std::atomic<int> work{0};
  testing::SpinBarrier turn(2);
  std::thread ringer([&] {
    for (int round = 1; round <= rounds; ++round) {
      turn.arrive_and_wait();
      testing::spin(round * 7 % 509);
      work.store(round, std::memory_order_relaxed);
      bell.ring();
      turn.arrive_and_wait();
    }
  });
  int failures = 0;
  for (int round = 1; round <= rounds; ++round) {
    turn.arrive_and_wait();
    testing::spin(round * 11 % 499);
    bell.arm();
    bool was_rung = false;
    if (failures == 0 && work.load(std::memory_order_relaxed) != round) {
      was_rung = is_readable(bell, 30'000);
      failures += was_rung ? 0 : 1;
      EXPECT_EQ(failures, 0) << "a wake-up was lost in round " << round;
    }
    bell.disarm(was_rung);
    turn.arrive_and_wait();
    // The ring is over. A write that came after the first disarm is heard by the next poll.
    bell.disarm(is_readable(bell));
    if (failures == 0 && is_readable(bell)) {
      ++failures;
      ADD_FAILURE() << "the descriptor stayed readable in round " << round;
    }
  }
  ringer.join();
}

}  // namespace
}  // namespace abuzz::base
