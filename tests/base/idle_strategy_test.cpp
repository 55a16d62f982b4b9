#include "bus/base/idle_strategy.hpp"

#include <gtest/gtest.h>

namespace abuzz::base::test {
namespace {

// Each look takes a microsecond.
class IdleStrategyTest : public ::testing::Test {
 protected:
  // Succeeds at look number `at`; 0: never. How many looks there were.
  int looks(IdleStrategy& idle, int at) {
    int count = 0;
    has_found_ = idle.find(clock_, [&] {
      clock_.advance(microsecond);
      return ++count == at;
    });
    return count;
  }
  ManualClock clock_;
  bool has_found_ = false;
};

TEST_F(IdleStrategyTest, eco_sleeps_at_once) {
  IdleStrategy idle(idle_budget("eco", 8));
  EXPECT_EQ(looks(idle, 1), 0);
  EXPECT_FALSE(has_found_);
  EXPECT_EQ(idle.spent(), 0);
}

TEST_F(IdleStrategyTest, looks_as_long_as_the_budget_lasts) {
  IdleStrategy idle({.spin = 5 * microsecond, .yield = 3 * microsecond});
  EXPECT_EQ(looks(idle, 0), 8);
  EXPECT_FALSE(has_found_);
  EXPECT_EQ(idle.spent(), 8 * microsecond);
  EXPECT_EQ(looks(idle, 6), 6);
  EXPECT_TRUE(has_found_);
  EXPECT_EQ(idle.spent(), 6 * microsecond);
}

TEST_F(IdleStrategyTest, what_does_not_pay_becomes_rare_until_it_pays_again) {
  IdleStrategy idle({.spin = microsecond, .yield = 0, .is_adaptive = true});
  int looked = 0;
  for (int sleep = 0; sleep < 1000; ++sleep) looked += looks(idle, 0);
  EXPECT_LE(looked, 7 + 1000 / 64);
  EXPECT_GE(looked, 1000 / 65);
  while (looks(idle, 1) == 0) {
  }
  EXPECT_TRUE(has_found_);
  EXPECT_EQ(looks(idle, 1), 1) << "it is asked at once again";
}

TEST_F(IdleStrategyTest, nobody_spins_on_one_processor) {
  for (const char* profile : {"eco", "balanced", "low_latency"})
    EXPECT_EQ(idle_budget(profile, 1).spin, 0) << profile;
  EXPECT_GT(idle_budget("low_latency", 1).yield, 0);
}

TEST_F(IdleStrategyTest, profiles_cost_more_the_less_they_sleep) {
  const auto all = [](const char* profile) {
    const IdleBudget budget = idle_budget(profile, 2);
    return budget.spin + budget.yield;
  };
  EXPECT_LT(all("eco"), all("balanced"));
  EXPECT_LT(all("balanced"), all("low_latency"));
}

}  // namespace
}  // namespace abuzz::base::test
