#include <atomic>
#include <functional>
#include <vector>

#include "bus/stats.hpp"
#include "tests/api/api_fixture.hpp"

// Closing from anywhere, as often as one likes.

namespace abuzz {
namespace {

class Close : public Api {
 protected:
  // A handler of `agent_` that says that it is inside, then does `act`, and says that it is done.
  void handle_with(std::function<void()> act) {
    agent_.emplace(connect("closing"));
    inbox_.emplace(agent_
                       ->subscribe("close",
                                   [this, act = std::move(act)](const MessageView&) {
                                     is_inside_ = true;
                                     act();
                                     std::this_thread::sleep_for(100ms);
                                     is_done_ = true;
                                   })
                       .value());
    publisher_.emplace(agent_->publisher("close").value());
    ASSERT_EQ(publisher_->try_publish("x"), SendStatus::queued);
    while (!is_inside_) std::this_thread::yield();
  }

  std::atomic<bool> is_inside_{false}, is_done_{false}, has_closed_{false};
  std::optional<Agent> agent_;
  std::optional<Subscription> inbox_;
  std::optional<Publisher> publisher_;
};

TEST_F(Close, ASecondCloseWaitsForTheHandlerThatClosed) {
  handle_with([&] {
    agent_->close(1s);
    has_closed_ = true;
  });
  while (!has_closed_) std::this_thread::yield();
  EXPECT_FALSE(is_done_);
  agent_->close(1s);
  EXPECT_TRUE(is_done_);
}

TEST_F(Close, TheDestructorWaitsForTheHandlerThatClosed) {
  handle_with([&] {
    agent_->close(1s);
    has_closed_ = true;
  });
  while (!has_closed_) std::this_thread::yield();
  agent_.reset();
  EXPECT_TRUE(is_done_);
}

TEST_F(Close, AHandlerThatClosesWhileItIsWaitedForIsNotWaitedForByItself) {
  handle_with([&] {
    std::this_thread::sleep_for(100ms);
    agent_->close(1s);
  });
  agent_->close(10s);
  EXPECT_TRUE(is_done_);
}

TEST_F(Close, AHandlerMayDestroyItsAgent) {
  handle_with([&] { agent_.reset(); });
  while (!is_done_) std::this_thread::yield();
  EXPECT_EQ(publisher_->try_publish("x"), SendStatus::closed);
  inbox_.reset();
  publisher_.reset();
}

TEST_F(Close, ThreadsThatCloseAtOnceAllWaitAndHearTheSame) {
  handle_with([] { std::this_thread::sleep_for(100ms); });
  for (int index = 0; index < 10; ++index)
    ASSERT_EQ(publisher_->try_publish("more"), SendStatus::queued);
  std::vector<CloseReport> reports(4);
  std::vector<std::thread> threads;
  for (CloseReport& report : reports) {
    threads.emplace_back([&] {
      report = agent_->close(5s);
      EXPECT_TRUE(is_done_);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const CloseReport& report : reports) {
    EXPECT_EQ(report.unsent, reports[0].unsent);
    EXPECT_EQ(report.unhandled, reports[0].unhandled);
  }
  EXPECT_EQ(agent_->close(0s).unhandled, reports[0].unhandled);
}

TEST_F(Close, WhatWaitsToBePolledIsReportedAndNotGivenAnyMore) {
  Agent agent = connect("polling");
  Subscription inbox = agent.subscribe("poll").value();
  Subscription last = agent.subscribe("last").value();
  Publisher publisher = agent.publisher("poll").value();
  Publisher last_publisher = agent.publisher("last").value();
  for (int index = 0; index < 10; ++index)
    ASSERT_EQ(publisher.try_publish("x"), SendStatus::queued);
  const auto look = [](const MessageView&) {};
  std::size_t polled = 0;
  while (polled < 3) polled += inbox.poll(look, 3 - polled, 5s);
  // Once the node has sent the rest, what it sends then comes behind it.
  const auto is_sent = [&] {
    const auto stats = read_stats(node_->runtime_directory() + "/node.counters").value();
    for (const RowSnapshot& row : stats.rows)
      if (row.kind == RowKind::subscription && row.text == "poll" &&
          row.get(SubscriptionCounter::sent_no) == 10)
        return true;
    return false;
  };
  while (!is_sent()) std::this_thread::yield();
  ASSERT_EQ(last_publisher.try_publish("x"), SendStatus::queued);
  ASSERT_EQ(last.poll(look, 1, 5s), 1u);
  EXPECT_EQ(agent.close(1s).unhandled, 7u);
  EXPECT_EQ(inbox.poll(look, 10, 0s), 0u);
  EXPECT_EQ(inbox.poll(look, 10, 10s), 0u);
}

TEST_F(Close, ANodeMovedFromDoesAndKnowsNothing) {
  Node next(std::move(*node_));
  Node& before = *node_;
  EXPECT_EQ(before.stop(1s).agents, 0u);
  before.drain();
  before.wait();
  before.request_stop();
  EXPECT_EQ(before.id(), 0u);
  EXPECT_EQ(before.runtime_directory(), "");
  EXPECT_NE(next.id(), 0u);
  *node_ = std::move(next);
}

TEST_F(Close, AnythingMovedFromAnswersClosedOrNothing) {
  Agent agent = connect("moving");
  Publisher publisher = agent.publisher("move").value();
  Subscription inbox = agent.subscribe("move").value();
  const Publisher publisher_now = std::move(publisher);
  const Subscription inbox_now = std::move(inbox);
  const Agent agent_now = std::move(agent);
  // NOLINTBEGIN(bugprone-use-after-move): that is the test.
  EXPECT_EQ(publisher.try_publish("x"), SendStatus::closed);
  EXPECT_EQ(publisher.publish("x", 10s), SendStatus::closed);
  EXPECT_EQ(publisher.claim(8).status, SendStatus::closed);
  EXPECT_EQ(publisher.commit(8), SendStatus::closed);
  EXPECT_EQ(publisher.flush(10s).pending, 0u);
  EXPECT_EQ(publisher.report().delivered + publisher.last_sequence() + publisher.match_count() +
                publisher.held_by(),
            0u);
  EXPECT_EQ(publisher.topic(), "");
  EXPECT_EQ(inbox.poll([](const MessageView&) {}, 1, 10s), 0u);
  EXPECT_EQ(inbox.report().received, 0u);
  EXPECT_FALSE(inbox.is_live());
  EXPECT_EQ(agent.publisher("move").error(), Error::closed);
  EXPECT_EQ(agent.subscribe("move").error(), Error::closed);
  EXPECT_EQ(agent.flush(10s).pending, 0u);
  EXPECT_EQ(agent.close(10s).unsent, 0u);
  agent.stop();
  agent.wait();
  EXPECT_EQ(agent.name() + agent.link(), "");
  EXPECT_EQ(agent.id() + agent.node_epoch(), 0u);
  EXPECT_FALSE(agent.is_connected());
  // NOLINTEND(bugprone-use-after-move)
}

TEST_F(Close, OneThatCouldNotSettleInTimeIsNoDeath) {
  Agent holder = connect("holder"), source = connect("source");
  Subscription held = holder.subscribe("held", SubscribeOptions{.queue_messages = 4}).value();
  agent_.emplace(connect("closing"));
  Subscription unread = agent_->subscribe("in").value();
  Publisher in = source.publisher("in").value();
  for (int index = 0; index < 10; ++index) ASSERT_EQ(in.publish("x", 5s), SendStatus::queued);
  while (unread.report().batches == 0 && source.flush(10ms).pending < 10) {
  }
  // More than the holder takes: not all of it is accepted when the time is over.
  Publisher out = agent_->publisher("held").value();
  for (int index = 0; index < 1000; ++index) ASSERT_EQ(out.publish("x", 5s), SendStatus::queued);
  const CloseReport report = agent_->close(300ms);
  EXPECT_GT(report.unsent, 0u);
  const FlushReport told = source.flush(10s);
  EXPECT_EQ(told.pending, 0u);
  EXPECT_EQ(told.dropped, 10u) << "it had them and did not handle them";
  const auto stats = read_stats(node_->runtime_directory() + "/node.counters").value();
  for (const RowSnapshot& row : stats.rows) {
    if (row.kind == RowKind::topic) {
      EXPECT_EQ(row.get(TopicCounter::unknown_peer_gone), 0u) << row.text;
    }
    EXPECT_NE(row.kind, RowKind::departed) << "it was taken for dead";
  }
}

}  // namespace
}  // namespace abuzz
