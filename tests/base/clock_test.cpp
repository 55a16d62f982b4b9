#include "bus/base/clock.hpp"

#include <gtest/gtest.h>

#include <ctime>
#include <limits>

namespace abuzz::base {
namespace {

TEST(SystemClock, NeverGoesBack) {
  SystemClock clock;
  Nanos before = clock.now();
  for (int count = 0; count < 10'000; ++count) {
    const Nanos now = clock.now();
    ASSERT_GE(now, before);
    before = now;
  }
}

TEST(SystemClock, TellsWallTimeSinceTheEpoch) {
  SystemClock clock;
  const std::time_t before = std::time(nullptr);
  const Nanos now = clock.wall_now();
  // time() may be served from a coarser clock that is one tick late.
  EXPECT_GE(now / second, static_cast<Nanos>(before) - 1);
  EXPECT_LE(now / second, static_cast<Nanos>(std::time(nullptr)) + 1);
}

TEST(Moments, DoNotWrapAroundWhenPatienceHasNoEnd) {
  constexpr Nanos last = std::numeric_limits<Nanos>::max();
  EXPECT_EQ(moment_after(5, 7), 12);
  EXPECT_EQ(moment_after(5, last - 5), last);
  EXPECT_EQ(moment_after(5, last - 4), last);
  EXPECT_EQ(moment_after(5, last), last);
  EXPECT_EQ(moment_after(5, -7), -2);
  EXPECT_LT(moment_after(5, std::numeric_limits<Nanos>::min()), 0);
}

TEST(ManualClock, StandsStillUntilItIsAdvanced) {
  ManualClock clock;
  const Nanos start = clock.now();
  EXPECT_EQ(clock.now(), start);
  clock.advance(3 * millisecond);
  EXPECT_EQ(clock.now(), start + 3 * millisecond);
}

}  // namespace
}  // namespace abuzz::base
