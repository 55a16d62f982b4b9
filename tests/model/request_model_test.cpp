#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "bus/mem/budget.hpp"
#include "tests/model/simulated_bus.hpp"

// Requests between real cores over loop links, in time that the test drives.

namespace abuzz::testing {
namespace {

class RequestModel : public ::testing::Test {
 protected:
  RequestModel() {
    settle();
    worker_.core().open_answers();
    inbox_ = worker_.core()
                 .open_subscription(
                     "$request.work.*",
                     [this](const MessageView& message) {
                       auto answer = worker_.core().answers().begin(worker_.shared_core(), message);
                       if (answer) answers_.push_back(std::move(answer));
                     },
                     client::AnswerDesk::subscription())
                 .value();
    EXPECT_TRUE(desk().listen().ok());
    settle();
  }
  ~RequestModel() override { answers_.clear(); }

  client::RequestDesk& desk() { return asker_.core().requests(); }
  void settle(int steps = 100) { pass(steps * base::millisecond, base::millisecond); }
  void pass(base::Nanos span, base::Nanos stride) {
    for (; span > 0; span -= stride) {
      node_.clock().advance(stride);
      for (int turn = 0; turn < 3; ++turn) {
        node_.step(1);
        asker_.step();
        if (!worker_stands_still_) worker_.step();
      }
    }
  }
  std::uint64_t ask(const RequestOptions& options = {}) {
    auto route = desk().route_to(asker_.shared_core(), "work.one", Lane::normal).value();
    const std::byte payload[1] = {};
    const std::uint64_t correlation = desk().try_open(route, payload, options).value();
    settle();
    return correlation;
  }
  SendStatus say(MessageKind kind, const std::string& text = {}) {
    const SendStatus status = worker_.core().answers().send(
        *answers_.back(), kind, std::as_bytes(std::span(text.data(), text.size())), 0);
    settle(5);
    return status;
  }
  // What came, without progress: "one two |end".
  std::string taken(std::uint64_t correlation) {
    std::string text;
    Reply reply;
    while (desk().take(correlation, reply)) {
      if (reply.kind == ReplyKind::part) text += std::string(reply.text()) + " ";
      if (reply.kind == ReplyKind::last) text += "|" + std::string(reply.text());
      if (reply.kind == ReplyKind::failed) text += error_id(reply.failure.error);
    }
    return text;
  }

  const Config config_;
  Trace trace_;
  mem::ProcessMemory memory_;
  mem::Pool pool_{mem::agent_classes(config_.limits, config_.link), memory_};
  node::test::LoopNode node_;
  SimulatedAgent asker_{node_, pool_, config_, "asker", 7, trace_};
  SimulatedAgent worker_{node_, pool_, config_, "worker", 8, trace_};
  std::shared_ptr<client::SubscriptionCore> inbox_;
  std::vector<std::shared_ptr<client::Answer>> answers_;
  bool worker_stands_still_ = false;
};

TEST_F(RequestModel, TenMinutesOfWorkWithProgressEveryFiveSecondsSucceedAtDefaults) {
  const std::uint64_t request = ask();
  ASSERT_EQ(answers_.size(), 1u);
  for (int count = 0; count < 120; ++count) {
    pass(5 * base::second, 50 * base::millisecond);
    ASSERT_EQ(say(MessageKind::progress, "still at it"), SendStatus::queued);
    ASSERT_FALSE(worker_.core().answers().is_cancelled(*answers_[0]));
  }
  EXPECT_EQ(say(MessageKind::last, "done"), SendStatus::queued);
  EXPECT_EQ(taken(request), "|done");
}

TEST_F(RequestModel, AMinuteOfSilenceIsTimedOutAndTheResponderHears) {
  const std::uint64_t request = ask();
  ASSERT_EQ(answers_.size(), 1u);
  pass(59 * base::second, 50 * base::millisecond);
  EXPECT_EQ(taken(request), "");
  EXPECT_FALSE(worker_.core().answers().is_cancelled(*answers_[0]));
  pass(2 * base::second, 50 * base::millisecond);
  EXPECT_EQ(taken(request), "ABZ-0703");
  EXPECT_TRUE(worker_.core().answers().is_cancelled(*answers_[0]));
  EXPECT_EQ(say(MessageKind::part, "late"), SendStatus::closed);
}

TEST_F(RequestModel, PartsSurviveLinksThatBreakAndANodeThatIsKilled) {
  const std::uint64_t request = ask();
  ASSERT_EQ(answers_.size(), 1u);
  std::string expected;
  for (int count = 0; count < 40; ++count) {
    const std::string text = std::to_string(count);
    if (count % 10 == 3) node_.network().cut_links();
    if (count % 20 == 9) node_.restart();
    while (say(MessageKind::part, text) == SendStatus::back_pressured) settle();
    expected += text + " ";
  }
  while (say(MessageKind::last, "end") == SendStatus::back_pressured) settle();
  settle(5000);
  EXPECT_EQ(taken(request), expected + "|end");
}

TEST_F(RequestModel, ACancelThatIsLostWithItsLinkIsRepeated) {
  const std::uint64_t request = ask();
  ASSERT_EQ(answers_.size(), 1u);
  desk().cancel(request);
  node_.network().cut_links();
  settle(3000);
  EXPECT_TRUE(worker_.core().answers().is_cancelled(*answers_[0]));
  EXPECT_EQ(taken(request), "ABZ-0907");
}

TEST_F(RequestModel, AResponderThatIsGoneIsKnownWhenItsRepliesAreTaken) {
  const std::uint64_t request = ask();
  ASSERT_EQ(answers_.size(), 1u);
  ASSERT_EQ(say(MessageKind::part, "one"), SendStatus::queued);
  worker_.core().abandon();
  settle(200);
  EXPECT_EQ(taken(request), "one ABZ-0906");
}

TEST_F(RequestModel, WhatNobodyBeganFailsWhenItsResponderIsGone) {
  worker_stands_still_ = true;
  const std::uint64_t dealt = ask();
  const std::uint64_t waits = ask();
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(taken(dealt) + taken(waits), "");
  worker_.core().abandon();
  settle();
  EXPECT_EQ(taken(dealt), "ABZ-0906");
  EXPECT_EQ(taken(waits), "ABZ-0906");
}

TEST_F(RequestModel, WhatANodeThatIsKilledHadIsGivenToTheNextOne) {
  worker_stands_still_ = true;
  const std::uint64_t request = ask();
  node_.restart();
  settle(3000);
  EXPECT_EQ(taken(request), "");
  worker_stands_still_ = false;
  settle(5000);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(say(MessageKind::last, "done"), SendStatus::queued);
  settle();
  EXPECT_EQ(taken(request), "|done");
}

TEST_F(RequestModel, WithoutAResponderItFailsAtOnce) {
  worker_.core().remove_subscription(*inbox_);
  settle();
  const std::uint64_t request = ask();
  EXPECT_EQ(taken(request), "ABZ-0905");
}

TEST_F(RequestModel, ARequesterThatTakesNothingHoldsItsResponderAndNobodyElse) {
  const std::uint64_t slow = ask();
  ASSERT_EQ(answers_.size(), 1u);
  std::size_t sent = 0;
  while (sent < 1000 && say(MessageKind::part, "x") == SendStatus::queued) ++sent;
  EXPECT_EQ(sent, client::RequestDesk::parts_max);
  const std::uint64_t quick = ask();
  ASSERT_EQ(answers_.size(), 2u);
  EXPECT_EQ(say(MessageKind::last, "done"), SendStatus::queued);
  EXPECT_EQ(taken(quick), "|done");
  EXPECT_FALSE(taken(slow).empty());
  settle();
  std::swap(answers_[0], answers_[1]);
  EXPECT_EQ(say(MessageKind::part, "x"), SendStatus::queued);
}

}  // namespace
}  // namespace abuzz::testing
