#include "tools/counter_text.hpp"

#include <gtest/gtest.h>

#include "bus/stats.hpp"

namespace abuzz::tools {
namespace {

using namespace std::chrono_literals;

TEST(CounterText, HasTheUnitOfItsCounter) {
  EXPECT_EQ(counter_text("bytes", 2048, 0s), "2 KiB");
  EXPECT_EQ(counter_text("ns", 1'500'000, 0s), "1.5ms");
  EXPECT_EQ(counter_text("messages", 1234, 0s), "1,234");
  EXPECT_EQ(counter_text("of a newer node", 7, 0s), "7");
}

TEST(CounterText, OfAMomentIsAnAge) {
  EXPECT_EQ(counter_text("at ns", 100'000'000'000, 102s), "2s ago");
  EXPECT_EQ(counter_text("at ns", 100'000'000'000, 99s), "0 ago");
  EXPECT_EQ(counter_text("at ns", 0, 99s), "-");
}

TEST(CounterText, OfAChoiceIsItsName) {
  EXPECT_EQ(counter_text("state", static_cast<std::uint64_t>(PeerState::ready), 0s), "ready");
  EXPECT_EQ(counter_text("policy", 1, 0s), "drop_new");
  EXPECT_EQ(counter_text("lane", 2, 0s), "normal");
  EXPECT_EQ(counter_text("lane", 9, 0s), "9");
}

TEST(CounterText, KnowsTheMomentsOfTheTable) {
  for (const CounterInfo& info : counter_table()) {
    const std::string_view label = info.label;
    if (label == "last beat" || label == "connected") {
      EXPECT_STREQ(info.unit, "at ns");
    }
  }
}

}  // namespace
}  // namespace abuzz::tools
