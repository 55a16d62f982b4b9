#include "bus/client/lane_queues.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "bus/client/subscription_core.hpp"
#include "bus/mem/pool.hpp"

namespace abuzz::client::test {
namespace {

constexpr mem::SizeClass classes[] = {{1024, 16, 16}};

class LaneQueuesTest : public ::testing::Test {
 protected:
  void push(Lane lane, std::uint64_t number) {
    Delivery delivery;
    delivery.subscription = &subscription_;
    delivery.lane = lane;
    delivery.first_delivery = number;
    queues_.push(std::move(delivery));
  }
  // Takes up to `max`; the numbers of what was taken.
  std::vector<std::uint64_t> take(std::size_t max = 1'000'000) {
    std::vector<std::uint64_t> numbers;
    while (numbers.size() < max) {
      const Delivery* next = queues_.next(clock_);
      if (next == nullptr) {
        queues_.spill();
        next = queues_.next(clock_);
      }
      if (next == nullptr) break;
      numbers.push_back(next->first_delivery);
      (void)queues_.take(64);
    }
    return numbers;
  }

  base::ManualClock clock_;
  mem::ProcessMemory memory_;
  mem::Pool pool_{classes, memory_};
  std::unique_ptr<StatsFile> stats_ = StatsFile::create("", {}, 8).value();
  SubscriptionCore subscription_{"t", {}, {}, clock_, pool_, {}, &stats_->process()};
  LaneQueues queues_;
};

using Numbers = std::vector<std::uint64_t>;

TEST_F(LaneQueuesTest, the_higher_lane_is_taken_first) {
  push(Lane::bulk, 1);
  push(Lane::bulk, 2);
  push(Lane::normal, 3);
  push(Lane::high, 4);
  push(Lane::high, 5);
  EXPECT_EQ(take(), (Numbers{4, 5, 3, 1, 2}));
  EXPECT_EQ(queues_.pushed(), 5u);
  EXPECT_EQ(queues_.pushed_by_lane(), (LaneQueues::Counts{2, 1, 2}));
}

TEST_F(LaneQueuesTest, what_comes_later_on_a_higher_lane_passes_what_waits) {
  push(Lane::bulk, 1);
  push(Lane::bulk, 2);
  EXPECT_EQ(take(1), (Numbers{1}));
  EXPECT_NE(queues_.next(clock_), nullptr);  // looked at, not taken
  push(Lane::high, 3);
  EXPECT_EQ(take(), (Numbers{3, 2}));
}

TEST_F(LaneQueuesTest, more_than_a_queue_holds_comes_in_order) {
  Numbers wanted;
  for (std::uint64_t number = 1; number <= 2000; ++number) {
    push(Lane::normal, number);
    wanted.push_back(number);
  }
  EXPECT_EQ(take(), wanted);
}

TEST_F(LaneQueuesTest, bulk_goes_on_beside_a_high_lane_that_is_never_empty) {
  for (std::uint64_t number = 0; number < 400; ++number) push(Lane::high, 1);
  for (std::uint64_t number = 0; number < 10; ++number) push(Lane::bulk, 2);
  (void)take(1);
  clock_.advance(delivery::LaneTurn::patience + 1);
  const Numbers taken = take(17 * 10);
  EXPECT_EQ(std::count(taken.begin(), taken.end(), 2u), 10);
}

}  // namespace
}  // namespace abuzz::client::test
