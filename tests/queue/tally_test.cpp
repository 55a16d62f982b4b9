#include "bus/queue/tally.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "tests/base/spin_barrier.hpp"

namespace abuzz::queue {
namespace {

TEST(Tally, TakesWhatWasCommittedAndRefusesWhatComesLater) {
  Tally tally;
  EXPECT_TRUE(tally.commit());
  EXPECT_TRUE(tally.commit(3));
  EXPECT_EQ(tally.committed(), 4u);
  EXPECT_FALSE(tally.is_taken());
  EXPECT_EQ(tally.take(), 4u);
  EXPECT_TRUE(tally.is_taken());
  EXPECT_FALSE(tally.commit());
}

TEST(Tally, CanBeTakenEmptyAndUsedAgainAfterReset) {
  Tally tally;
  EXPECT_EQ(tally.take(), 0u);
  EXPECT_FALSE(tally.commit());
  tally.reset();
  EXPECT_TRUE(tally.commit());
  EXPECT_EQ(tally.take(), 1u);
}

TEST(Tally, AccountsForEveryCommitOnceWhenTheConsumerTakesAtAnyMoment) {
  constexpr int rounds = 10'000;
  constexpr std::uint32_t slots_count = 8;
  Tally tally;
  std::uint32_t slots[slots_count] = {};  // plain: published by commit, read after take
  std::uint32_t taken = 0;
  std::uint32_t accepted = 0;
  testing::SpinBarrier both(2);
  std::thread producer([&] {
    for (int round = 0; round < rounds; ++round) {
      both.arrive_and_wait();
      accepted = 0;
      for (std::uint32_t slot = 0; slot < slots_count; ++slot) {
        slots[slot] = static_cast<std::uint32_t>(round) + slot;
        if (!tally.commit()) break;
        ++accepted;
      }
      both.arrive_and_wait();
    }
  });
  for (int round = 0; round < rounds; ++round) {
    both.arrive_and_wait();
    while (tally.committed() < static_cast<std::uint32_t>(round) % (slots_count + 1)) {
    }
    taken = tally.take();
    for (std::uint32_t slot = 0; slot < taken; ++slot) {
      EXPECT_EQ(slots[slot], static_cast<std::uint32_t>(round) + slot);
    }
    both.arrive_and_wait();
    EXPECT_EQ(taken, accepted) << "round " << round;
    tally.reset();
  }
  producer.join();
}

}  // namespace
}  // namespace abuzz::queue
