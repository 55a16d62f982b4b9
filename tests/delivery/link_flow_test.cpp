#include "bus/delivery/link_flow.hpp"

#include <gtest/gtest.h>

namespace abuzz::delivery::test {
namespace {

using wire::Lane;
using Load = LinkFlow::Load;

// Two ends of one link, with frames that arrive when the test says so.
class LinkFlowTest : public ::testing::Test {
 protected:
  static Load load(Lane lane, std::uint32_t bytes) {
    Load one;
    one.add(lane, bytes);
    return one;
  }
  void send(const Load& one) {
    wire::FrameHead head;
    sender_.stamp(head, one);
    ASSERT_TRUE(receiver_.on_frame(head));
    receiver_.on_processed(one);
  }
  void acknowledge() {
    wire::FrameHead head;
    receiver_.stamp(head, {});
    ASSERT_TRUE(sender_.on_frame(head));
  }

  LinkFlow sender_{{64u << 10, 512u << 10, 128u << 10}},
      receiver_{{64u << 10, 512u << 10, 128u << 10}};
};

TEST_F(LinkFlowTest, each_lane_has_room_of_its_own) {
  send(load(Lane::bulk, 128 << 10));
  EXPECT_FALSE(sender_.has_room(Lane::bulk, 1, {}));
  EXPECT_TRUE(sender_.has_room(Lane::high, 64 << 10, {}));
  EXPECT_TRUE(sender_.has_room(Lane::normal, 512 << 10, {}));
  acknowledge();
  EXPECT_TRUE(sender_.has_room(Lane::bulk, 128 << 10, {}));
}

TEST_F(LinkFlowTest, a_lane_does_not_count_frames_of_lower_ones) {
  for (int frame = 0; frame < 3; ++frame) send(load(Lane::bulk, 64));
  send(load(Lane::normal, 64));
  send(load(Lane::high, 64));
  Load both = load(Lane::bulk, 64);
  both.add(Lane::high, 64);
  send(both);
  EXPECT_EQ(sender_.frames_in_flight(Lane::high), 2u);
  EXPECT_EQ(sender_.frames_in_flight(Lane::normal), 3u);
  EXPECT_EQ(sender_.frames_in_flight(Lane::bulk), 6u);
  acknowledge();
  for (const Lane lane : {Lane::high, Lane::normal, Lane::bulk})
    EXPECT_EQ(sender_.frames_in_flight(lane), 0u);
}

TEST_F(LinkFlowTest, frames_are_counted_right_however_many_went_before) {
  for (int round = 0; round < 50; ++round) {
    for (int frame = 0; frame < 7; ++frame) {
      const Lane lane = frame % 3 == 0 ? Lane::high : Lane::bulk;
      send(load(lane, 64));
    }
    EXPECT_EQ(sender_.frames_in_flight(Lane::high), 3u) << round;
    EXPECT_EQ(sender_.frames_in_flight(Lane::bulk), 7u) << round;
    acknowledge();
  }
  for (std::uint32_t frame = 0; frame < LinkFlow::frames_in_flight_max; ++frame)
    send(load(Lane::high, 64));
  EXPECT_EQ(sender_.frames_in_flight(Lane::high), LinkFlow::frames_in_flight_max);
}

TEST_F(LinkFlowTest, what_of_bulk_stands_ahead_of_something_urgent_is_known) {
  send(load(Lane::bulk, 100 << 10));
  EXPECT_EQ(sender_.bulk_ahead_bytes(), 0u);
  send(load(Lane::normal, 64));
  EXPECT_EQ(sender_.bulk_ahead_bytes(), 0u);
  send(load(Lane::control, 64));
  EXPECT_EQ(sender_.bulk_ahead_bytes(), 100u << 10);
  send(load(Lane::bulk, 20 << 10));
  send(load(Lane::high, 64));
  EXPECT_EQ(sender_.bulk_ahead_bytes(), 120u << 10);
  acknowledge();
  send(load(Lane::high, 64));
  EXPECT_EQ(sender_.bulk_ahead_bytes(), 120u << 10);
}

}  // namespace
}  // namespace abuzz::delivery::test
