#include "bus/base/check.hpp"

#include <gtest/gtest.h>

namespace abuzz::base {
namespace {

TEST(Check, PassesWhenTheConditionHolds) {
  int evaluated = 0;
  ABUZZ_CHECK(++evaluated == 1);
  EXPECT_EQ(evaluated, 1);
}

TEST(CheckDeathTest, PrintsTheConditionAndItsPlaceAndAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const int answer = 41;
  EXPECT_DEATH(ABUZZ_CHECK(answer == 42), "answer == 42.*check_test.cpp");
}

}  // namespace
}  // namespace abuzz::base
