#include <gtest/gtest.h>

#include "bus/delivery/switch.hpp"

// The limits of a node's registrations: met exactly, and given back.

namespace abuzz::delivery {
namespace {

constexpr PortId agents = 256;

class SwitchLimits : public testing::Test {
 protected:
  SwitchLimits() {
    for (PortId port = 1; port <= agents + 1; ++port) switch_.open_port(port);
  }
  std::uint16_t subscribe(PortId port, std::uint32_t handle) {
    wire::Subscribe item;
    item.subscription = handle;
    item.pattern = "topic";
    item.bound_messages = item.window_messages = 1024;
    item.bound_bytes = item.window_bytes = 8u << 20;
    return switch_.subscribe(port, item, 0).error;
  }
  std::uint16_t advertise(PortId port, std::uint32_t handle, std::uint32_t publisher) {
    return switch_.advertise(port, {handle, publisher, 1, "topic", 0});
  }
  // What the agent is told leaves with the frames that carry it.
  void drain() {
    wire::ControlBuilder control;
    while (const PortId port = switch_.next_output()) {
      while (switch_.collect_control(port, control)) (void)control.finish();
    }
  }

  const Config config_;
  std::unique_ptr<StatsFile> stats_ = StatsFile::create("", {}, 400'000).value();
  mem::ProcessMemory memory_;
  static constexpr mem::SizeClass classes[] = {{1024, 4, 4}};
  mem::Pool pool_{classes, memory_};
  Switch switch_{*stats_, config_, 1, pool_};
};

constexpr auto node_limit = static_cast<std::uint16_t>(Error::node_subscriptions_limit);
constexpr auto agent_limit = static_cast<std::uint16_t>(Error::subscriptions_limit);
constexpr auto publications_limit = static_cast<std::uint16_t>(Error::publications_limit);

TEST_F(SwitchLimits, AFreedSubscriptionOfANodeMakesRoomForOneOfAnyAgent) {
  for (PortId port = 1; port <= agents; ++port) {
    for (std::uint32_t handle = 1; handle <= 256; ++handle)
      ASSERT_EQ(subscribe(port, handle), 0) << port << " " << handle;
  }
  EXPECT_EQ(switch_.subscription_count(), 65'536u);
  EXPECT_EQ(subscribe(1, 257), agent_limit);
  EXPECT_EQ(subscribe(agents + 1, 1), node_limit);
  for (int round = 0; round < 100; ++round) {
    switch_.unsubscribe(7, 200);
    ASSERT_EQ(subscribe(agents + 1, 1), 0);
    ASSERT_EQ(subscribe(7, 200), node_limit);
    switch_.unsubscribe(agents + 1, 1);
    ASSERT_EQ(subscribe(7, 200), 0);
    drain();
  }
  switch_.close_port(3, DropReason::peer_gone);
  EXPECT_EQ(switch_.subscription_count(), 65'536u - 256);
  EXPECT_EQ(subscribe(agents + 1, 256), 0);
}

TEST_F(SwitchLimits, AFreedPublicationOfANodeMakesRoomForOneOfAnyAgent) {
  for (PortId port = 1; port <= 16; ++port) {
    for (std::uint32_t handle = 1; handle <= 4096; ++handle)
      ASSERT_EQ(advertise(port, handle, handle), 0) << port << " " << handle;
  }
  EXPECT_EQ(switch_.publication_count(), 65'536u);
  EXPECT_EQ(advertise(17, 1, 1), publications_limit);
  for (std::uint32_t round = 0; round < 100; ++round) {
    switch_.withdraw(7, 200);
    ASSERT_EQ(advertise(17, 1, 2 * round + 1), 0);
    ASSERT_EQ(advertise(7, 200, 5000 + round), publications_limit);
    switch_.withdraw(17, 1);
    ASSERT_EQ(advertise(7, 200, 5000 + round), 0);
    drain();
  }
}

// A counter file with few rows.
class SwitchRows : public testing::Test {
 protected:
  void open(std::size_t rows) {
    stats_ = StatsFile::create("", {}, rows).value();
    switch_ = std::make_unique<Switch>(*stats_, config_, 1, pool_);
    for (const PortId port : {1, 2}) switch_->open_port(port);
  }
  std::uint16_t advertise(std::uint32_t handle, const char* topic) {
    return switch_->advertise(1, {handle, handle, 1, topic, 0});
  }
  std::uint16_t subscribe(std::uint32_t handle, const char* pattern) {
    wire::Subscribe item;
    item.subscription = handle;
    item.pattern = pattern;
    item.bound_messages = item.window_messages = 1024;
    item.bound_bytes = item.window_bytes = 8u << 20;
    return switch_->subscribe(2, item, 0).error;
  }

  static constexpr auto refused = static_cast<std::uint16_t>(Error::memory_budget);
  static constexpr mem::SizeClass classes[] = {{1024, 4, 4}};
  const Config config_;
  mem::ProcessMemory memory_;
  mem::Pool pool_{classes, memory_};
  std::unique_ptr<StatsFile> stats_;
  std::unique_ptr<Switch> switch_;
};

TEST_F(SwitchRows, ThatAreUsedUpRefuseASubscriptionThatWouldGetNothing) {
  open(1 + 2 + 2 + 1);  // the process, two publications, two subscriptions, a pair
  ASSERT_EQ(advertise(1, "a.one"), 0);
  ASSERT_EQ(advertise(2, "a.two"), 0);
  ASSERT_EQ(subscribe(1, "a.one"), 0);
  EXPECT_EQ(subscribe(2, "a.*"), refused);
  EXPECT_EQ(switch_->subscription_count(), 1u);
  EXPECT_EQ(subscribe(2, "b"), 0) << "the row of the one that was refused is free again";
}

TEST_F(SwitchRows, ThatAreUsedUpRefuseAPublicationThatASubscriberWouldNotHear) {
  open(1 + 2 + 1 + 1);
  ASSERT_EQ(subscribe(1, "a.*"), 0);
  ASSERT_EQ(advertise(1, "a.one"), 0);
  EXPECT_EQ(advertise(2, "a.two"), refused);
  EXPECT_EQ(switch_->publication_count(), 1u);
}

// A batch may be larger than the bound of a subscription, and grow while it waits for credit.
TEST_F(SwitchLimits, ABatchBeyondTheBoundThatGrewGetsItsCreditStill) {
  wire::Subscribe item;
  item.subscription = 1;
  item.pattern = "topic";
  item.bound_messages = 96;
  item.window_messages = 1024;
  item.bound_bytes = item.window_bytes = 8u << 20;
  ASSERT_EQ(switch_.subscribe(1, item, 0).error, 0);
  ASSERT_EQ(advertise(2, 1, 1), 0);
  for (const std::uint64_t wanted : {146u, 217u}) {
    switch_.want(2, {1, wanted, 100'000});
    switch_.finish_cycle(base::millisecond);
    drain();
    std::uint64_t limit = 0;
    for (const RowSnapshot& row : stats_->snapshot().rows)
      if (row.kind == RowKind::publication) limit = row.get(PublicationCounter::limit_messages);
    EXPECT_GE(limit, wanted);
  }
}

}  // namespace
}  // namespace abuzz::delivery
