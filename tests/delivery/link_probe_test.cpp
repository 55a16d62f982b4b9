#include "bus/delivery/link_probe.hpp"

#include <gtest/gtest.h>

namespace abuzz::delivery {
namespace {

constexpr base::Nanos ms = base::millisecond;

class LinkProbeTest : public ::testing::Test {
 protected:
  std::uint8_t flags_of(bool has_news, base::Nanos now) {
    wire::FrameHead head;
    probe_.stamp(head, has_news, now);
    return head.flags;
  }
  void hear(std::uint8_t flags) {
    wire::FrameHead head;
    head.flags = flags;
    probe_.on_frame(head);
  }
  LinkProbe probe_;
};

TEST_F(LinkProbeTest, AsksNothingBeforeThereIsNews) {
  EXPECT_EQ(flags_of(false, 1 * ms), 0);
  EXPECT_EQ(probe_.due_at(), 0);
  EXPECT_FALSE(probe_.is_due(base::second * 100));
}

TEST_F(LinkProbeTest, AsksOnceItWasQuietAndUntilItIsAnswered) {
  EXPECT_EQ(flags_of(true, 1 * ms), 0);
  EXPECT_FALSE(probe_.is_due(200 * ms));
  ASSERT_TRUE(probe_.is_due(251 * ms));
  EXPECT_EQ(flags_of(false, 251 * ms), wire::frame_asks);
  EXPECT_FALSE(probe_.is_due(500 * ms));
  ASSERT_TRUE(probe_.is_due(501 * ms));  // the question may be lost as well
  EXPECT_EQ(flags_of(false, 501 * ms), wire::frame_asks);
  EXPECT_FALSE(probe_.is_due(1000 * ms));
  hear(wire::frame_answers);
  EXPECT_EQ(probe_.due_at(), 0);
}

TEST_F(LinkProbeTest, IsNotDueWhileFramesFollowEachOther) {
  for (base::Nanos now = 1; now < 3 * base::second; now += 100 * ms)
    EXPECT_EQ(flags_of(true, now), 0) << now;
  EXPECT_FALSE(probe_.is_due(3 * base::second));
  EXPECT_TRUE(probe_.is_due(3 * base::second + 250 * ms));
}

TEST_F(LinkProbeTest, TakesNoAnswerToAnEarlierQuestion) {
  (void)flags_of(true, 1 * ms);
  EXPECT_EQ(flags_of(false, 251 * ms), wire::frame_asks);
  (void)flags_of(true, 252 * ms);
  hear(wire::frame_answers);
  EXPECT_NE(probe_.due_at(), 0);
  EXPECT_TRUE(probe_.is_due(600 * ms));
}

TEST_F(LinkProbeTest, AnswersWithItsNextFrame) {
  hear(wire::frame_asks);
  EXPECT_TRUE(probe_.owes_answer());
  EXPECT_EQ(flags_of(true, 1 * ms), wire::frame_answers);
  EXPECT_FALSE(probe_.owes_answer());
  EXPECT_EQ(flags_of(true, 2 * ms), 0);
}

}  // namespace
}  // namespace abuzz::delivery
