#include <gtest/gtest.h>

#include <array>

#include "bus/delivery/lane_turn.hpp"

namespace abuzz::delivery::test {
namespace {

constexpr std::size_t high = 0, normal = 1, bulk = 2;
constexpr LaneTurn::Waiting all = 0b111;

// Serves `units` units of `bytes` each while `waiting` have something; counts them by lane.
std::array<std::size_t, 3> serve(LaneTurn& turn, LaneTurn::Waiting waiting, base::Nanos now,
                                 std::size_t units, std::uint64_t bytes = 64) {
  std::array<std::size_t, 3> served{};
  for (std::size_t unit = 0; unit < units; ++unit) {
    const std::size_t lane = turn.next(waiting, now);
    ++served[lane];
    turn.note_served(lane, bytes);
  }
  return served;
}

TEST(LaneTurn, the_highest_lane_that_has_something_goes_first) {
  LaneTurn turn;
  EXPECT_EQ(turn.next(0b100, 0), bulk);
  EXPECT_EQ(turn.next(0b110, 0), normal);
  EXPECT_EQ(turn.next(0b101, 0), high);
  EXPECT_EQ(serve(turn, all, 0, 1000), (std::array<std::size_t, 3>{1000, 0, 0}));
}

TEST(LaneTurn, a_lane_that_was_passed_over_for_long_gets_one_unit_in_seventeen) {
  LaneTurn turn;
  (void)serve(turn, 0b101, 0, 1);
  const base::Nanos later = LaneTurn::patience + 1;
  // What went past before it lost its patience counts too.
  EXPECT_EQ(serve(turn, 0b101, later, 17 * 10), (std::array<std::size_t, 3>{160, 0, 10}));
}

TEST(LaneTurn, large_units_are_counted_by_their_bytes) {
  LaneTurn turn;
  (void)serve(turn, 0b101, 0, 1, 0);
  const base::Nanos later = LaneTurn::patience + 1;
  EXPECT_EQ(serve(turn, 0b101, later, 50, 64 * base::kib), (std::array<std::size_t, 3>{40, 0, 10}));
}

TEST(LaneTurn, a_lane_that_was_empty_meanwhile_begins_to_wait_anew) {
  LaneTurn turn;
  (void)serve(turn, 0b101, 0, 20);
  (void)serve(turn, 0b001, LaneTurn::patience, 1);
  EXPECT_EQ(serve(turn, 0b101, LaneTurn::patience + 1, 100),
            (std::array<std::size_t, 3>{100, 0, 0}));
}

TEST(LaneTurn, a_lane_that_had_its_turn_as_the_highest_begins_to_wait_anew) {
  LaneTurn turn;
  (void)serve(turn, 0b110, 0, 20);
  (void)serve(turn, 0b100, 50, 1);
  EXPECT_EQ(serve(turn, 0b110, LaneTurn::patience + 1, 100),
            (std::array<std::size_t, 3>{0, 100, 0}));
}

TEST(LaneTurn, both_lower_lanes_go_on) {
  LaneTurn turn;
  (void)serve(turn, all, 0, 1);
  const auto served = serve(turn, all, LaneTurn::patience + 1, 1000);
  EXPECT_GT(served[high], 850u);
  EXPECT_GT(served[normal], 50u);
  EXPECT_GT(served[bulk], 50u);
}

}  // namespace
}  // namespace abuzz::delivery::test
