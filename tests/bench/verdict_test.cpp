#include "bench/verdict.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

// Drawn from what a small virtual machine does: pairs whose logarithms are spread by a third, with
// a wild one now and then.

namespace abuzz::bench {
namespace {

struct Machine {
  std::mt19937_64 random;
  double spread = 0.1;

  double pair(double slowdown) {
    std::normal_distribution<double> usual(std::log(slowdown), spread);
    const bool is_wild = std::uniform_real_distribution<double>(0, 1)(random) < 0.05;
    return usual(random) + (is_wild ? usual(random) * 10 : 0);
  }
};

// How often each verdict is spoken, over so many comparisons of at most so many pairs.
struct Tally {
  int slower = 0, same = 0, undecided = 0;
};
Tally compare_often(double slowdown, double spread, int pairs_max, int times = 100) {
  Machine machine{std::mt19937_64(7), spread};
  Tally tally;
  for (int time = 0; time < times; ++time) {
    Judge judge("rate", 0.1);
    Verdict verdict = Verdict::undecided;
    for (int pair = 1; pair <= pairs_max && verdict == Verdict::undecided; ++pair) {
      judge.take(machine.pair(slowdown));
      verdict = judge.look(pair == pairs_max);
    }
    tally.slower += verdict == Verdict::slower;
    tally.same += verdict == Verdict::same;
    tally.undecided += verdict == Verdict::undecided;
  }
  return tally;
}

TEST(Judge, SaysNothingOfFewPairs) {
  Judge judge("rate", 0.1);
  for (int pair = 0; pair < 5; ++pair) judge.take(1);
  EXPECT_EQ(judge.look(true), Verdict::undecided);
}

TEST(Judge, TheSameBuildRaisesNoAlarmHoweverOftenItLooks) {
  const Tally tally = compare_often(1, 0.1, 100);
  EXPECT_LE(tally.slower, 2);      // one in fifty
  EXPECT_LE(tally.undecided, 10);  // one in ten
}

TEST(Judge, TenPercentAreFoundNineTimesInTen) {
  EXPECT_GE(compare_often(1.1, 0.1, 100).slower, 90);
}

TEST(Judge, AMachineThatIsTooNoisyLeavesItOpenButRaisesNoAlarm) {
  const Tally tally = compare_often(1, 0.36, 40);
  EXPECT_LE(tally.slower, 2);
  EXPECT_GT(tally.undecided, 0);
}

TEST(Judge, ExactCountsAreDecidedAtOnce) {
  Judge judge("instructions", 0.1);
  for (int pair = 0; pair < 14; ++pair) judge.take(std::log(1.099));
  EXPECT_EQ(judge.look(false), Verdict::slower);
  EXPECT_TRUE(judge.is_narrow());
  EXPECT_NEAR(judge.ratio().middle, 1.099, 1e-9);
}

TEST(Judge, NotSlowerTakesBothTimeAndCpu) {
  EXPECT_EQ(agree(Verdict::same, Verdict::same), Verdict::same);
  EXPECT_EQ(agree(Verdict::undecided, Verdict::same), Verdict::undecided);
  EXPECT_EQ(agree(Verdict::same, Verdict::undecided), Verdict::undecided);
  EXPECT_EQ(agree(Verdict::undecided, Verdict::slower), Verdict::slower);
  EXPECT_EQ(agree(Verdict::slower, Verdict::same), Verdict::slower);
}

TEST(Judge, InstructionsDecideWhereTimeCannotTell) {
  EXPECT_EQ(combine(Verdict::undecided, Verdict::same), Verdict::same);
  EXPECT_EQ(combine(Verdict::undecided, Verdict::slower), Verdict::slower);
  EXPECT_EQ(combine(Verdict::same, Verdict::slower), Verdict::slower);
  EXPECT_EQ(combine(Verdict::same, Verdict::undecided), Verdict::same);
}

// With six values their whole range holds the middle 31 times in 32: no 99.9 %.
TEST(SignedRanks, FewValuesHaveNoHighConfidence) {
  const std::vector<double> six{1, 2, 3, 4, 5, 6};
  EXPECT_TRUE(signed_rank_interval(six, 0.95).is_known());
  EXPECT_FALSE(signed_rank_interval(six, 0.999).is_known());
  EXPECT_TRUE(signed_rank_interval(std::vector<double>(14, 1.0), 0.999).is_known());
}

TEST(SignedRanks, TheIntervalHoldsTheTruthAsOftenAsItSays) {
  Machine machine{std::mt19937_64(3), 0.2};
  int held = 0;
  constexpr int times = 1000;
  for (int time = 0; time < times; ++time) {
    std::vector<double> values;
    for (int value = 0; value < 30; ++value) values.push_back(machine.pair(1.05));
    const Interval interval = signed_rank_interval(values, 0.95);
    held += interval.low <= std::log(1.05) && std::log(1.05) <= interval.high;
  }
  EXPECT_GE(held, times * 93 / 100);
  EXPECT_LE(held, times * 98 / 100);
}

TEST(SignedRanks, QuantilesAreThoseOfTheTables) {
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-9);
  EXPECT_NEAR(normal_quantile(0.975), 1.959964, 1e-6);
}

}  // namespace
}  // namespace abuzz::bench
