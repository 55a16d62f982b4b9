#include "tools/path.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "tests/tools/counter_rows.hpp"

namespace abuzz::tools {
namespace {

constexpr std::uint64_t shop = 7, billing = 8;
constexpr std::uint32_t node_pid = 11, shop_pid = 4242, billing_pid = 4243;
enum Row : std::size_t { process, shop_row, billing_row, stream_row, inbox_row, pair_row };

// Shop published 10 messages on orders.new, and billing handled them.
class PathTest : public ::testing::Test {
 protected:
  PathTest() {
    StatsSnapshot& node = later_.node;
    node.pid = node_pid;
    add_row(node, RowKind::process, {}, "");
    add_row(node, RowKind::agent, {shop, shop_pid, 1, 1}, "shop");
    add_row(node, RowKind::agent, {billing, billing_pid, 1, 1}, "billing");
    add_row(node, RowKind::publication, {shop, 1, 1, 1}, "orders.new", "shop");
    set(row(stream_row), PublicationCounter::accepted, 10);
    set(row(stream_row), PublicationCounter::routed, 10);
    add_row(node, RowKind::subscription, {billing, 1}, "orders.*", "", "billing");
    set(row(inbox_row), SubscriptionCounter::done_no, 10);
    add_row(node, RowKind::pair, {stream_row, inbox_row}, "orders.new");
    set(row(pair_row), PairCounter::matched, 10);
    set(row(pair_row), PairCounter::delivered, 10);
    StatsSnapshot publisher;
    add_row(publisher, RowKind::process, {}, "");
    add_row(publisher, RowKind::publication, {shop, 1, 1, 1}, "orders.new");
    set(publisher.rows[1], PublicationCounter::pushed, 10);
    set(publisher.rows[1], PublicationCounter::last_seq, 10);
    later_.agents.push_back({"shop-4242", publisher});
  }
  RowSnapshot& row(std::size_t index) { return later_.node.rows[index]; }
  void remove_rows_from(std::size_t index) { later_.node.rows.resize(index); }
  // Messages wait, and nothing moves.
  void let_wait(std::uint64_t count) {
    set(row(pair_row), PairCounter::queued, count);
    set(row(inbox_row), SubscriptionCounter::queued_batches, 1);
  }
  void let_publisher_wait() {
    set(later_.agents[0].stats.rows[1], PublicationCounter::pushed, 30);
    set(row(stream_row), PublicationCounter::holder, inbox_row);
  }
  // Of shop nothing is there but what it published.
  void let_shop_leave() {
    row(stream_row).ids[3] = 0;
    row(shop_row).kind = RowKind::free;
    later_.agents.clear();
  }
  // What is lost from here on is lost now.
  void keep_earlier() { earlier_ = later_; }
  Answer explain(const std::string& from = {}, const std::string& to = {}) {
    const auto look = [this](std::uint32_t pid, std::uint64_t) {
      return ProcessLook{pid != gone_, pid == stopped_};
    };
    return explain_path({topic_, from, to}, earlier_.value_or(later_), later_, look, elsewhere_);
  }
  Path first(const std::string& from = {}, const std::string& to = {}) {
    return explain(from, to).paths.front();
  }

  std::string topic_ = "orders.new";
  Counters later_;
  std::optional<Counters> earlier_;  // if it differs
  std::vector<Elsewhere> elsewhere_;
  std::uint32_t gone_ = 0, stopped_ = 0;
};

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

TEST_F(PathTest, ASlowHandlerThatHoldsItsPublisher) {
  let_wait(20);
  EXPECT_EQ(first().cause, Cause::slow_handler);
  EXPECT_EQ(first().text, "the handler of agent billing is slow: 20 messages wait for it");
  let_publisher_wait();
  EXPECT_EQ(first().cause, Cause::slow_handler);
  EXPECT_NE(first().text.find("it holds publisher shop"), std::string::npos);
}

TEST_F(PathTest, WhoIsQuickIsNotSlow) {
  let_wait(20);
  keep_earlier();
  set(row(inbox_row), SubscriptionCounter::done_no, 30);
  EXPECT_FALSE(explain().is_broken());
}

TEST_F(PathTest, AnotherSubscriptionHoldsThePublisher) {
  let_wait(20);
  let_publisher_wait();
  stopped_ = billing_pid;
  add_row(later_.node, RowKind::agent, {9, 4244, 1, 1}, "archive");
  RowSnapshot& inbox =
      add_row(later_.node, RowKind::subscription, {9, 1}, "orders.>", "", "archive");
  add_row(later_.node, RowKind::pair, {stream_row, inbox.index}, "orders.new");
  const Path path = first("", "archive");
  EXPECT_EQ(path.cause, Cause::lossless_hold);
  EXPECT_EQ(path.text,
            "publisher shop is held by agent billing, whose subscription orders.* is lossless and "
            "which is stopped (SIGSTOP)");
  EXPECT_EQ(first("", "billing").cause, Cause::subscriber_stopped);
}

TEST_F(PathTest, WhatQueuesLose) {
  keep_earlier();
  set(row(pair_row), PairCounter::dropped_conflated, 3);
  EXPECT_EQ(first().cause, Cause::conflated);
  set(row(pair_row), PairCounter::dropped_expired, 4);
  EXPECT_EQ(first().cause, Cause::expired);
  set(row(pair_row), PairCounter::dropped_queue_full, 5);
  EXPECT_EQ(first().cause, Cause::queue_full);
  EXPECT_NE(first().text.find("5 queue full, 3 conflated, 4 expired"), std::string::npos);
  set(row(pair_row), PairCounter::dropped_corrupt, 6);
  EXPECT_EQ(first().cause, Cause::refused);
}

TEST_F(PathTest, WhatExpiresBeforeItIsSent) {
  keep_earlier();
  set(row(stream_row), PublicationCounter::voided, 2);
  EXPECT_EQ(first().cause, Cause::expired);
}

TEST_F(PathTest, WhatWasLostBeforeIsToldOfAWholePath) {
  set(row(pair_row), PairCounter::dropped_queue_full, 5);
  set(row(stream_row), PublicationCounter::voided, 2);
  EXPECT_FALSE(explain().is_broken());
  EXPECT_EQ(first().text, "10 messages delivered");
  EXPECT_EQ(first().detail, "dropped some time ago: 5 queue full, 2 expired, of 10 messages");
}

TEST_F(PathTest, ALossOfBeforeDoesNotHideASlowHandler) {
  set(row(pair_row), PairCounter::dropped_expired, 5);
  let_wait(20);
  EXPECT_EQ(first().cause, Cause::slow_handler);
  EXPECT_EQ(first().detail, "dropped some time ago: 5 expired, of 10 messages");
}

TEST_F(PathTest, AQueueThatIsStillFullDropsTheNextOneToo) {
  set(row(inbox_row), SubscriptionCounter::policy, 1);
  set(row(pair_row), PairCounter::dropped_queue_full, 5);
  let_wait(20);
  EXPECT_EQ(first().cause, Cause::queue_full);
  EXPECT_EQ(first().text,
            "the queue of agent billing is full: dropped 5 queue full, and its "
            "handler does not keep up");
}

TEST_F(PathTest, ADeadLetterIsAFaultAsLongAsItIsKept) {
  set(row(pair_row), PairCounter::dropped_dead, 1);
  EXPECT_FALSE(explain().is_broken());
  set(row(process), ProcessCounter::dead_letters, 1);
  EXPECT_EQ(first().cause, Cause::dead_lettered);
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

TEST_F(PathTest, AHeldPublisherOfAnotherLaneIsSeenThoughTheQueueMoves) {
  let_wait(20);
  let_publisher_wait();
  keep_earlier();
  set(row(inbox_row), SubscriptionCounter::done_no, 100);
  EXPECT_EQ(first().cause, Cause::slow_handler);
  EXPECT_NE(first().text.find("it holds publisher shop"), std::string::npos);
}

TEST_F(PathTest, APublisherWhoseMessagesGoOnIsNotHeld) {
  let_wait(20);
  let_publisher_wait();
  keep_earlier();
  set(row(inbox_row), SubscriptionCounter::done_no, 1000);
  set(row(stream_row), PublicationCounter::accepted, 1000);
  set(later_.agents[0].stats.rows[1], PublicationCounter::last_seq, 1000);
  set(later_.agents[0].stats.rows[1], PublicationCounter::pushed, 1020);
  EXPECT_FALSE(explain().is_broken());
}

TEST_F(PathTest, EveryCauseHasAName) {
  for (int i = 0; i <= static_cast<int>(Cause::no_member); ++i)
    EXPECT_NE(cause_name(static_cast<Cause>(i)), "unknown");
}

}  // namespace
}  // namespace abuzz::tools
