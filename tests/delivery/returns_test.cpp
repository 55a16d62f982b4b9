#include "bus/delivery/returns.hpp"

#include "tests/delivery/switch_fixture.hpp"

// Whom a node waits for that follows another one.

namespace abuzz::delivery::test {
namespace {

constexpr std::uint64_t agent = (std::uint64_t{1} << 32) + 7;

class ReturnsTest : public SwitchTest {
 protected:
  // Credit that the publisher has, beyond what was accepted.
  std::uint64_t credit() {
    wire::ControlBuilder control;
    while (switch_.collect_control(publisher_port, control)) (void)control.finish();
    return publication_row().get(PublicationCounter::limit_messages);
  }
  std::uint16_t return_as(PortId port, std::uint32_t handle, const std::string& pattern,
                          const std::string& group = {}) {
    switch_.open_port(port);
    wire::Subscribe item;
    item.subscription = handle;
    item.pattern = pattern;
    item.bound_messages = item.window_messages = 100;
    item.bound_bytes = item.window_bytes = 4 * base::mib;
    item.stall_ms = 1000;
    item.returns = true;
    item.group = group;
    if (!group.empty()) item.attempts_max = 3;
    const std::uint16_t error = switch_.subscribe(port, item, now_).error;
    switch_.finish_cycle(now_);
    return error;
  }
};

TEST_F(ReturnsTest, APublisherGetsNoCreditBeforeWhoIsOwedItsTopicIsBack) {
  switch_.expect_returns({{agent, 3, 0, 0, "t.*", {}}, {agent, 4, 0, 0, "other", {}}});
  switch_.do_timers(now_);
  advertise(1, "t.a");
  EXPECT_EQ(credit(), 0u);
  ASSERT_EQ(return_as(agent, 4, "other"), 0);
  EXPECT_EQ(credit(), 0u);
  ASSERT_EQ(return_as(agent, 3, "t.*"), 0);
  EXPECT_GT(credit(), 0u);
  EXPECT_EQ(row_of(RowKind::owed, 0).kind, RowKind::free);
}

TEST_F(ReturnsTest, OtherTopicsAreNotHeld) {
  switch_.expect_returns({{agent, 3, 0, 0, "other.>", {}}});
  advertise(1, "t.a");
  EXPECT_GT(credit(), 0u);
}

TEST_F(ReturnsTest, ItsTimeIsBounded) {
  switch_.expect_returns({{agent, 3, 0, 0, "t.*", {}}});
  switch_.do_timers(now_);
  advertise(1, "t.a");
  now_ += 2900 * base::millisecond;
  switch_.do_timers(now_);
  EXPECT_EQ(credit(), 0u);
  now_ += 200 * base::millisecond;
  switch_.do_timers(now_);
  EXPECT_GT(credit(), 0u);
}

TEST_F(ReturnsTest, WhoIsGoneIsNotWaitedFor) {
  switch_.expect_returns({{agent, 3, 0, 0, "t.*", {}}});
  switch_.do_timers(now_);
  advertise(1, "t.a");
  switch_.open_port(agent);
  switch_.close_port(agent, DropReason::peer_gone);
  EXPECT_GT(credit(), 0u);
}

TEST_F(ReturnsTest, AnyMemberWillDoForAGroup) {
  switch_.open_own_port(PortId{1} << 32);
  switch_.expect_returns({{agent, 0, 0, 0, "t.*", "workers"}});
  switch_.do_timers(now_);
  advertise(1, "t.a");
  ASSERT_EQ(return_as(agent + 1, 1, "t.*"), 0);
  EXPECT_EQ(credit(), 0u);
  ASSERT_EQ(return_as(agent + 1, 2, "t.*", "workers"), 0);
  EXPECT_GT(credit(), 0u);
}

// The next node knows whom this one still waited for, and what it owed itself.
TEST_F(ReturnsTest, TheCountersTellTheNextNode) {
  switch_.expect_returns({{agent, 3, 42, 99, "t.*", {}}});
  ASSERT_EQ(return_as(agent + 1, 1, "u.>"), 0);
  subscribe({.handle = 1, .pattern = "v", .policy = Policy::drop_new});
  const std::vector<Owed> owed = read_owed(stats_->snapshot());
  ASSERT_EQ(owed.size(), 2u);
  const Owed& first = owed[owed[0].pattern == "t.*" ? 0 : 1];
  const Owed& second = owed[owed[0].pattern == "t.*" ? 1 : 0];
  EXPECT_EQ(first.agent_id, agent);
  EXPECT_EQ(first.handle, 3u);
  EXPECT_EQ(first.pid, 42u);
  EXPECT_EQ(first.start_ticks, 99u);
  EXPECT_EQ(second.agent_id, agent + 1);
  EXPECT_EQ(second.pattern, "u.>");
}

// The word of its end was lost with the link.
TEST_F(ReturnsTest, AnEndThatWasNotHeardIsToldAgain) {
  subscribe({.bound_messages = 1});
  advertise(1, "t.a");
  ASSERT_EQ(publish(1, {0}), Verdict::taken);
  now_ += 100 * base::millisecond;
  for (int look = 0; look < 40; ++look) {
    now_ += 100 * base::millisecond;
    (void)send(0);
    switch_.do_timers(now_);
  }
  wire::Subscribe item;
  item.subscription = 1;
  item.pattern = "t.*";
  item.bound_messages = item.window_messages = 1;
  item.bound_bytes = item.window_bytes = 4 * base::mib;
  item.stall_ms = 1000;
  item.resumes = true;
  ASSERT_EQ(row_of(RowKind::subscription, 0).kind, RowKind::free) << "it was not ended";
  const auto stalled_out = static_cast<std::uint16_t>(Error::stalled_out);
  EXPECT_EQ(switch_.subscribe(subscriber_port, item, now_).error, stalled_out);
  EXPECT_EQ(switch_.subscribe(subscriber_port, item, now_).error, stalled_out) << "lost once more";
  item.resumes = false;
  EXPECT_EQ(switch_.subscribe(subscriber_port, item, now_).error, 0);
  item.resumes = true;
  EXPECT_EQ(switch_.subscribe(subscriber_port, item, now_).error, 0);
}

TEST_F(ReturnsTest, WhatAnAgentTookWithItIsVoid) {
  advertise(1, "t.a");
  ASSERT_EQ(publish(1, {0, 0, 0}), Verdict::taken);
  switch_.note_left_behind(publisher_port, {1, 1, "t.a", 10, 5});
  // Of these this node knows nothing: only what was never sealed is lost for certain.
  switch_.note_left_behind(publisher_port, {2, 1, "t.b", 10, 8});
  switch_.close_port(publisher_port, DropReason::peer_gone);
  std::map<std::string, std::uint64_t> abandoned;
  for (std::size_t index = 0; row_of(RowKind::topic, index).kind == RowKind::topic; ++index) {
    const RowSnapshot row = row_of(RowKind::topic, index);
    abandoned[row.text] = row.get(TopicCounter::abandoned);
  }
  EXPECT_EQ(abandoned["t.a"], 7u);
  EXPECT_EQ(abandoned["t.b"], 2u);
}

}  // namespace
}  // namespace abuzz::delivery::test
