#include "bus/node/thread_places.hpp"

#include <gtest/gtest.h>

#include "bus/place/affinity.hpp"
#include "tests/scratch.hpp"

namespace abuzz::node::test {
namespace {

using Role = PlannedThread::Role;

class Places : public ::testing::Test {
 protected:
  // A plan of a shard and its I/O thread.
  Plan plan(bool pins, std::uint32_t processor) const {
    Plan plan;
    plan.pins = pins;
    plan.pin_reason = "why pinned or not";
    plan.threads.push_back({Role::shard, 0, {processor}, "its core"});
    plan.threads.push_back({Role::door, 0, allowed_, "anywhere"});
    return plan;
  }
  // Where the shard's thread was started.
  place::Processors start(const Plan& plan) {
    ThreadPlaces places(plan, *stats_, [this](std::string_view line) { log_ += line; });
    place::Processors where;
    places.start(Role::shard, 0, [&] { where = place::read_affinity(); });
    places.start(Role::door, 0, [&] { EXPECT_EQ(place::read_affinity(), allowed_); });
    return where;
  }
  RowSnapshot row(const std::string& name) const {
    for (const RowSnapshot& row : stats_->snapshot().rows) {
      if (row.kind == RowKind::thread && row.text == name) return row;
    }
    ADD_FAILURE() << "no row of " << name;
    return {};
  }

  const place::Processors allowed_ = place::read_affinity();
  const std::unique_ptr<StatsFile> stats_ = StatsFile::create("", {1, 1, 0}, 16).value();
  std::string log_;
};

TEST_F(Places, ArePinnedAsPlannedAndReadBack) {
  EXPECT_EQ(start(plan(true, allowed_.back())), place::Processors{allowed_.back()});
  EXPECT_EQ(row("shard 0").get(ThreadCounter::pinned), 1u);
  EXPECT_EQ(row("shard 0").text2, std::to_string(allowed_.back()));
  EXPECT_EQ(row("shard 0").text3, "its core");
  EXPECT_EQ(row("door").get(ThreadCounter::pinned), 0u);
  EXPECT_EQ(log_, "");
}

TEST_F(Places, AreTheKernelsWhereNothingIsPinned) {
  EXPECT_EQ(start(plan(false, allowed_.back())), allowed_);
  EXPECT_EQ(row("shard 0").get(ThreadCounter::pinned), 0u);
  EXPECT_EQ(row("shard 0").get(ThreadCounter::processors), allowed_.size());
  EXPECT_EQ(row("shard 0").text3, "why pinned or not");
}

TEST_F(Places, ThatAreRefusedAreAWarningAndACounter) {
  EXPECT_EQ(start(plan(true, 60'000)), allowed_);
  EXPECT_EQ(row("shard 0").get(ThreadCounter::refused), 1u);
  EXPECT_EQ(row("shard 0").get(ThreadCounter::pinned), 0u);
  EXPECT_EQ(log_, "warn shard 0 was not pinned to processor 60000: Invalid argument");
}

TEST_F(Places, OfANodeAreDecidedByItsConfig) {
  const ScratchDirectory scratch;
  Config config;
  config.node.runtime_directory = scratch.path() + "/abuzz";
  config.place.pin = "on";
  EXPECT_TRUE(plan_node(config).pins);
  config.place.pin = "off";
  EXPECT_FALSE(plan_node(config).pins);
  config.place.pin = "auto";
  EXPECT_FALSE(plan_node(config).pins) << "nothing was measured";
}

}  // namespace
}  // namespace abuzz::node::test
