#include "bus/client/pool_size.hpp"

#include <gtest/gtest.h>

namespace abuzz::client::test {
namespace {

constexpr base::Nanos span = PoolSize::interval;

class PoolSizeTest : public ::testing::Test {
 protected:
  void SetUp() override { size_.set_useful(100); }
  // `busy` of every worker's time, of which `cpu` computing.
  std::uint32_t note(double busy, double cpu, bool has_waiting = true) {
    const double all = static_cast<double>(span) * size_.size();
    return size_.note({span, static_cast<base::Nanos>(all * busy),
                       static_cast<base::Nanos>(all * busy * cpu), has_waiting});
  }
  std::uint32_t note_often(int times, double busy, double cpu) {
    for (int time = 0; time < times; ++time) note(busy, cpu);
    return size_.size();
  }
  PoolSize size_{4};
};

TEST_F(PoolSizeTest, one_a_core_and_no_more_than_can_run) {
  EXPECT_EQ(size_.size(), 4u);
  size_.set_useful(3);
  EXPECT_EQ(size_.size(), 3u);
  EXPECT_EQ(size_.most(), 3u);
  size_.set_useful(0);
  EXPECT_EQ(size_.size(), 0u) << "nobody needs it";
}

TEST_F(PoolSizeTest, grows_where_handlers_sleep_up_to_four_a_core) {
  EXPECT_EQ(note(0.9, 0.1), 4u) << "one look says nothing";
  EXPECT_EQ(note(0.9, 0.1), 6u);
  EXPECT_EQ(note_often(100, 1.0, 0.0), 16u);
}

TEST_F(PoolSizeTest, does_not_grow_where_handlers_compute) {
  EXPECT_EQ(note_often(100, 1.0, 0.9), 4u);
}

TEST_F(PoolSizeTest, does_not_grow_where_nothing_waits) {
  for (int time = 0; time < 100; ++time) note(1.0, 0.0, false);
  EXPECT_EQ(size_.size(), 4u);
}

TEST_F(PoolSizeTest, shrinks_one_by_one_when_idle_for_long) {
  note_often(100, 1.0, 0.0);
  EXPECT_EQ(note_often(9, 0.1, 0.0), 16u);
  EXPECT_EQ(note(0.1, 0.0), 15u);
  EXPECT_EQ(note_often(1000, 0.0, 0.0), 4u);
}

TEST_F(PoolSizeTest, between_the_marks_nothing_changes) {
  note_often(100, 1.0, 0.0);
  for (int round = 0; round < 20; ++round) {
    EXPECT_EQ(note_often(9, 0.2, 0.0), 16u);
    EXPECT_EQ(note(0.5, 0.0), 16u) << "looks count in a row";
  }
}

}  // namespace
}  // namespace abuzz::client::test
