#include "tests/tools/path_fixture.hpp"

// Which end of the path is missing, and what its processes do.

namespace abuzz::tools {
namespace {

TEST_F(PathTest, WholeWhenNothingIsInTheWay) {
  const Answer answer = explain();
  EXPECT_FALSE(answer.is_broken());
  ASSERT_EQ(answer.paths.size(), 1u);
  EXPECT_EQ(answer.paths.front().text, "10 messages delivered");
  EXPECT_EQ(answer.paths.front().publisher.agent, "shop");
  EXPECT_EQ(answer.paths.front().subscriber.pid, billing_pid);
}

TEST_F(PathTest, NoMatchAndNearMiss) {
  remove_rows_from(inbox_row);
  EXPECT_EQ(first().cause, Cause::no_match);
  add_row(later_.node, RowKind::subscription, {billing, 1}, "orders.*.new", "", "billing");
  EXPECT_EQ(first().cause, Cause::near_miss);
  EXPECT_EQ(first().text, "no subscription matches");
  EXPECT_EQ(first().detail, "near miss: agent billing subscribes orders.*.new (one token more)");
}

TEST_F(PathTest, NamesWhoIsGone) {
  remove_rows_from(inbox_row);
  add_row(later_.node, RowKind::departed, {billing, 1}, "orders.*", "billing");
  EXPECT_EQ(first().cause, Cause::subscriber_gone);
  EXPECT_EQ(first().detail.find("agent billing"), 0u);
  set(later_.node.rows.back(), DepartedCounter::stalled, 1);
  EXPECT_EQ(first().cause, Cause::stalled_out);
  EXPECT_EQ(first("", "other").cause, Cause::no_match);
}

TEST_F(PathTest, WhoIsOnAnotherBus) {
  elsewhere_ = {{"/tmp/other", "archive", "orders.>"}, {"/tmp/third", "stand", ""}};
  EXPECT_FALSE(explain().is_broken());
  remove_rows_from(inbox_row);
  EXPECT_TRUE(is_end_missing(explain()));
  EXPECT_EQ(first().cause, Cause::other_directory);
  EXPECT_EQ(first().detail,
            "agent archive subscribes orders.> in another runtime directory, /tmp/other");
  EXPECT_EQ(first("", "other").cause, Cause::no_match);
  remove_rows_from(stream_row);
  EXPECT_EQ(first().cause, Cause::other_directory);
  EXPECT_EQ(first().publisher.agent, "stand");
  EXPECT_EQ(first().text, "publishes it in another runtime directory, /tmp/third");
  EXPECT_EQ(first("shop").cause, Cause::no_publisher);
}

TEST_F(PathTest, AReservedTopic) {
  const Answer answer = explain_reserved();
  EXPECT_TRUE(answer.is_broken());
  EXPECT_EQ(answer.paths.front().cause, Cause::reserved_topic);
}

TEST_F(PathTest, NobodyPublishes) {
  later_.node.rows[stream_row].text = "orders.old";
  Answer answer = explain();
  EXPECT_FALSE(answer.has_publisher);
  EXPECT_FALSE(answer.is_broken());
  EXPECT_EQ(answer.paths.front().text, "nothing is in the way");
  EXPECT_EQ(first("shop").cause, Cause::no_publisher);
  EXPECT_NE(first("shop").text.find("orders.old"), std::string::npos);
  EXPECT_NE(first("shpo").text.find("one is called shop"), std::string::npos);
}

TEST_F(PathTest, TheProcessesOfBothEnds) {
  stopped_ = shop_pid;
  EXPECT_EQ(first().cause, Cause::publisher_stopped);
  stopped_ = billing_pid;
  EXPECT_EQ(first().cause, Cause::subscriber_stopped);
  EXPECT_EQ(first().advice, "let it go on: kill -CONT 4243");
  gone_ = billing_pid;
  EXPECT_EQ(first().cause, Cause::subscriber_gone);
}

// Billing is a member of a group, and so is another agent.
TEST_F(PathTest, AGroupStandsStillWhenAllOfItDoes) {
  row(inbox_row).ids[0] = 0;
  row(inbox_row).text2 = "workers";
  row(inbox_row).text3.clear();
  set(row(inbox_row), SubscriptionCounter::members, 1);
  add_row(later_.node, RowKind::subscription, {billing, 2}, "orders.*", "workers", "billing");
  let_wait(3);
  stopped_ = billing_pid;
  EXPECT_EQ(first().cause, Cause::subscriber_stopped);
  EXPECT_EQ(
      first().text,
      "group workers stands still: agent billing is stopped (SIGSTOP), 3 messages wait for it");
  EXPECT_EQ(first().advice, "let it go on: kill -CONT 4243");

  add_row(later_.node, RowKind::agent, {9, 4244, 1, 1}, "packing");
  add_row(later_.node, RowKind::subscription, {9, 1}, "orders.*", "workers", "packing");
  EXPECT_EQ(first().cause, Cause::slow_handler);
  EXPECT_EQ(first().detail, "agent billing is stopped (SIGSTOP)");
}

TEST_F(PathTest, WhatEndedWithAKilledPublisherIsSaid) {
  RowSnapshot& topic = add_row(later_.node, RowKind::topic, {}, "orders.new");
  set(topic, TopicCounter::abandoned, 262'144);
  EXPECT_EQ(first().cause, Cause::none);
  EXPECT_EQ(first().detail, "262,144 messages ended with a publisher that was killed or crashed");
}

TEST_F(PathTest, AStoppedNode) {
  stopped_ = node_pid;
  EXPECT_EQ(first().cause, Cause::node_stopped);
}

TEST_F(PathTest, ASessionWithoutASignOfLife) {
  set(row(billing_row), AgentCounter::state, static_cast<std::uint64_t>(PeerState::stalled));
  EXPECT_EQ(first().cause, Cause::session_stalled);
  row(billing_row).ids[0] = 99;
  EXPECT_EQ(first().cause, Cause::session_stalled);
}

TEST_F(PathTest, APublisherThatLeftHidesNothing) {
  let_shop_leave();
  EXPECT_FALSE(explain().has_publisher);
  EXPECT_FALSE(explain().is_broken());
  EXPECT_EQ(first().text, "10 messages delivered");
  EXPECT_EQ(first("shop").publisher.agent, "shop");
  EXPECT_TRUE(first("shop").publisher.has_left);
  set(row(pair_row), PairCounter::dropped_queue_full, 7);
  stopped_ = billing_pid;
  EXPECT_EQ(first().cause, Cause::subscriber_stopped);
  EXPECT_EQ(first().detail, "dropped of its queue so far: 7 queue full");
}

TEST_F(PathTest, ManyPublishersThatLeftAreOneSource) {
  let_shop_leave();
  RowSnapshot& other =
      add_row(later_.node, RowKind::publication, {9, 1, 1, 0}, "orders.new", "stand");
  RowSnapshot& pair = add_row(later_.node, RowKind::pair, {other.index, inbox_row}, "orders.new");
  set(pair, PairCounter::delivered, 5);
  ASSERT_EQ(explain().paths.size(), 1u);
  EXPECT_EQ(first().publisher.agent, "");
  EXPECT_EQ(first().text, "15 messages delivered");
  EXPECT_EQ(first("stand").text, "5 messages delivered");
}

TEST_F(PathTest, WhoWasKilledIsNamedBesideOthers) {
  later_.read_at = std::chrono::hours(1);
  RowSnapshot& departed = add_row(later_.node, RowKind::departed, {9, 1}, "orders.>", "archive");
  set(departed, DepartedCounter::at_ns, std::chrono::nanoseconds(std::chrono::minutes(59)).count());
  ASSERT_EQ(explain().paths.size(), 2u);
  EXPECT_EQ(first().cause, Cause::subscriber_gone);
  EXPECT_EQ(first().subscriber.agent, "archive");
  EXPECT_EQ(first().pattern, "orders.>");
  EXPECT_EQ(first().text,
            "agent archive was killed or crashed: it ended without a goodbye (0 "
            "delivered, 0 dropped, 0 unknown), 1min ago");
  EXPECT_FALSE(explain("", "billing").is_broken());
  // It is back, or it was long ago.
  departed.text2 = "billing";
  EXPECT_FALSE(explain().is_broken());
  departed.text2 = "archive";
  set(departed, DepartedCounter::at_ns, 0);
  EXPECT_FALSE(explain().is_broken());
}

TEST_F(PathTest, AMemberThatWasKilledIsNotMissedWhereItsGroupGoesOn) {
  row(inbox_row).text2 = "workers";
  row(inbox_row).text3 = "";
  set(row(inbox_row), SubscriptionCounter::members, 1);
  add_row(later_.node, RowKind::departed, {9, 1}, "orders.*", "worker-1");
  EXPECT_FALSE(explain().is_broken());
}

TEST_F(PathTest, WhereOnlyRequestsAreAnswered) {
  remove_rows_from(inbox_row);
  add_row(later_.node, RowKind::subscription, {billing, 1}, "$request.orders.new", "$responders",
          "billing");
  EXPECT_EQ(first().cause, Cause::only_responders);
  EXPECT_EQ(first().detail, "agent billing replies to requests there");
  // It is no near miss of anything else.
  topic_ = "orders.news";
  EXPECT_EQ(first().cause, Cause::no_match);
}

TEST_F(PathTest, TheWayOfARequest) {
  topic_ = "$request.orders.new";
  remove_rows_from(inbox_row);
  EXPECT_EQ(first().cause, Cause::no_match);
  add_row(later_.node, RowKind::subscription, {billing, 1}, "$request.ordres.new", "$responders",
          "billing");
  EXPECT_EQ(first().cause, Cause::near_miss);
  EXPECT_EQ(first().detail,
            "near miss: agent billing replies on ordres.new (`ordres` is not `orders`)");
  add_row(later_.node, RowKind::subscription, {1, 1}, "$request.orders.*", "$responders");
  EXPECT_EQ(first().cause, Cause::no_member);
  EXPECT_EQ(first().text, "the responders are gone");
}

TEST_F(PathTest, EveryCauseHasAName) {
  for (int i = 0; i <= static_cast<int>(Cause::no_member); ++i)
    EXPECT_NE(cause_name(static_cast<Cause>(i)), "unknown");
}

}  // namespace
}  // namespace abuzz::tools
