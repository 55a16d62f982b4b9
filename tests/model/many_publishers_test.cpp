#include <gtest/gtest.h>

#include "bus/mem/budget.hpp"
#include "tests/model/simulated_bus.hpp"

// As many publishers as one agent may have, all with something to say at once.

namespace abuzz::testing {
namespace {

class ManyPublishers : public ::testing::Test {
 protected:
  static constexpr std::size_t count = 4096;

  ManyPublishers() {
    settle(100);
    seen_ = &reader_.add_subscription("many.*");
    for (std::size_t index = 0; index < count; ++index)
      agent_.add_publisher("many." + std::to_string(index));
    settle(400);
  }
  void settle(int steps) {
    for (int step = 0; step < steps; ++step) {
      node_.clock().advance(base::millisecond);
      node_.step(1);
      agent_.step();
      reader_.step();
    }
  }
  // Everybody publishes one message of `bytes`; whoever is refused tries again after a step of the
  // bus. Returns how many of them were refused at first.
  std::size_t publish_all(std::size_t bytes) {
    std::vector<std::size_t> waiting(count);
    for (std::size_t index = 0; index < count; ++index) waiting[index] = index;
    std::size_t refused = 0;
    for (int round = 0; round < 3000 && !waiting.empty(); ++round) {
      std::size_t tries = round == 0 ? count : 128;  // the others would be refused too
      std::erase_if(waiting, [&](std::size_t index) {
        if (tries == 0) return false;
        --tries;
        const SendStatus status = agent_.publish(index, bytes);
        EXPECT_TRUE(status == SendStatus::queued || status == SendStatus::back_pressured);
        return status == SendStatus::queued;
      });
      if (round == 0) refused = waiting.size();
      settle(1);
    }
    EXPECT_EQ(waiting.size(), 0u) << "starved";
    wanted_ += count;
    for (int step = 0; step < 300 && !is_settled(); ++step) settle(10);
    return refused;
  }
  bool is_settled() {
    std::uint64_t delivered = 0;
    for (std::size_t index = 0; index < count; ++index)
      delivered += agent_.publisher(index).report().delivered;
    return delivered == wanted_;
  }
  void expect_all(std::uint64_t messages) {
    EXPECT_EQ(seen_->messages, messages);
    EXPECT_EQ(seen_->streams.size(), count);
    EXPECT_EQ(seen_->disorder, 0u);
    EXPECT_EQ(seen_->corrupt, 0u);
    EXPECT_TRUE(is_settled());
  }

  const Config config_;
  Trace trace_;
  mem::ProcessMemory memory_;
  mem::Pool pool_{mem::agent_classes(config_.limits, config_.link), memory_};
  mem::Pool reader_pool_{mem::agent_classes(config_.limits, config_.link), memory_};
  node::test::LoopNode node_;
  SimulatedAgent agent_{node_, pool_, config_, "writer", 7, trace_};
  SimulatedAgent reader_{node_, reader_pool_, config_, "reader", 8, trace_};
  Seen* seen_ = nullptr;
  std::uint64_t wanted_ = 0;
};

TEST_F(ManyPublishers, MayAllStageASmallMessageAtOnce) {
  for (std::uint64_t round = 1; round <= 3; ++round) {
    std::printf("refused at first: %zu\n", publish_all(50));
    expect_all(round * count);
  }
}

// A publisher that has said what it had to say keeps no memory that others wait for.
TEST_F(ManyPublishers, MayAllStageAMessageOfATypicalOrALargeSize) {
  std::uint64_t round = 0;
  for (const std::size_t bytes : {9'000u, 20'000u, 100u}) {
    std::printf("refused at first, %zu bytes: %zu\n", bytes, publish_all(bytes));
    expect_all(++round * count);
  }
}

}  // namespace
}  // namespace abuzz::testing
