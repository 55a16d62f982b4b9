#include "tools/delivery_flags.hpp"

#include <gtest/gtest.h>

namespace abuzz::tools {
namespace {

using namespace std::chrono_literals;

TEST(PolicyFlag, NamesEveryPolicyWithItsBound) {
  SubscribeOptions options;
  EXPECT_EQ(read_policy("latest:16", options), "");
  EXPECT_EQ(options.policy, Policy::latest);
  EXPECT_EQ(options.latest_messages, 16u);
  EXPECT_EQ(read_policy("drop_old", options), "");
  EXPECT_EQ(options.policy, Policy::drop_old);
  EXPECT_EQ(read_policy("drop_new", options), "");
  EXPECT_EQ(options.policy, Policy::drop_new);
  EXPECT_EQ(read_policy("lossless", options), "");
  EXPECT_EQ(options.policy, Policy::lossless);
  EXPECT_EQ(options.stall_limit, 0ms);
  EXPECT_EQ(read_policy("lossless:2.5s", options), "");
  EXPECT_EQ(options.stall_limit, 2500ms);
}

TEST(PolicyFlag, TheLastOfTwoLeavesNothingOfTheFirst) {
  SubscribeOptions options;
  EXPECT_EQ(read_policy("latest:16", options), "");
  EXPECT_EQ(read_policy("lossless:1s", options), "");
  EXPECT_EQ(options.latest_messages, 0u);
  EXPECT_EQ(read_policy("drop_old", options), "");
  EXPECT_EQ(options.stall_limit, 0ms);
}

TEST(PolicyFlag, RefusesWhatIsNone) {
  for (const char* text :
       {"", "lossles", "lossless:", "lossless:10", "lossless:1ms", "lossless:2h", "latest",
        "latest:", "latest:0", "latest:-1", "latest:x", "latest:1048577", "drop_old:", "drop_old:5",
        "drop_new:1", "drop", ":", "LATEST:1"}) {
    SubscribeOptions options;
    EXPECT_NE(read_policy(text, options), "") << text;
    EXPECT_EQ(options.policy, Policy::lossless) << text;
    EXPECT_EQ(options.latest_messages, 0u) << text;
  }
}

TEST(LaneFlag, TakesTheLanesOfMessages) {
  Lane lane = Lane::normal;
  EXPECT_EQ(read_lane("bulk", lane), "");
  EXPECT_EQ(lane, Lane::bulk);
  EXPECT_EQ(read_lane("high", lane), "");
  EXPECT_EQ(lane, Lane::high);
  for (const char* text : {"", "control", "low", "High"}) EXPECT_NE(read_lane(text, lane), "");
  EXPECT_EQ(lane, Lane::high);
}

TEST(KeyFlag, TakesNumbersAsTheyAreAndHashesTexts) {
  std::uint64_t key = 0, other = 0;
  EXPECT_EQ(read_key("7", key), "");
  EXPECT_EQ(key, 7u);
  EXPECT_EQ(read_key("18446744073709551615", key), "");
  EXPECT_EQ(key, UINT64_MAX);
  EXPECT_EQ(read_key("a", key), "");
  EXPECT_EQ(key, 0xAF63'DC4C'8601'EC8Cu);  // published: FNV-1a of "a"
  EXPECT_EQ(read_key("b", other), "");
  EXPECT_NE(key, other);
  for (const char* text : {"", "0", "00", "18446744073709551616"}) {
    EXPECT_NE(read_key(text, key), "") << text;
  }
}

TEST(TimeToLiveFlag, IsADurationThatAMessageCanHave) {
  std::chrono::milliseconds span{0};
  EXPECT_EQ(read_time_to_live("1500us", span), "");
  EXPECT_EQ(span, 2ms);
  EXPECT_EQ(read_time_to_live("576h", span), "");
  EXPECT_EQ(span, 576h);
  for (const char* text : {"", "0", "0s", "10", "1us", "577h", "-1s", "soon"}) {
    EXPECT_NE(read_time_to_live(text, span), "") << text;
  }
}

TEST(ModeFlag, NamesEveryMode) {
  SubscribeOptions options;
  EXPECT_EQ(read_mode("sticky", options), "");
  EXPECT_EQ(options.group_mode, GroupMode::sticky);
  EXPECT_EQ(read_mode("round_robin", options), "");
  EXPECT_EQ(options.group_mode, GroupMode::round_robin);
  EXPECT_NE(read_mode("fair", options), "");
  EXPECT_EQ(options.group_mode, GroupMode::round_robin);
}

}  // namespace
}  // namespace abuzz::tools
