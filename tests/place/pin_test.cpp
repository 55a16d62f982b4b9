#include "bus/place/pin.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <stdexcept>
#include <thread>

namespace abuzz::place {
namespace {

TEST(Pin, IsReadBackAndInheritedByWhatIsStarted) {
  const Processors before = read_affinity();
  const std::uint32_t last = before.back();
  PinOutcome outcome;
  Processors inherited;
  run_on({last}, [&](const PinOutcome& told) {
    outcome = told;
    std::thread([&] { inherited = read_affinity(); }).join();
  });
  EXPECT_EQ(outcome.refused, 0);
  EXPECT_EQ(outcome.actual, Processors{last});
  EXPECT_EQ(inherited, Processors{last});
  EXPECT_EQ(read_affinity(), before) << "the caller's own mask was touched";
}

TEST(Pin, ThatIsRefusedStillRuns) {
  PinOutcome outcome;
  run_on({60'000}, [&](const PinOutcome& told) { outcome = told; });
  EXPECT_EQ(outcome.refused, EINVAL);
  EXPECT_EQ(outcome.actual, read_affinity());
}

TEST(Pin, LetsAnExceptionOut) {
  const auto fail = [](const PinOutcome&) { throw std::runtime_error("no"); };
  EXPECT_THROW(run_on(read_affinity(), fail), std::runtime_error);
}

}  // namespace
}  // namespace abuzz::place
