#include "bus/client/receipt_window.hpp"

#include <gtest/gtest.h>

namespace abuzz::client {
namespace {

wire::Receipt run_of(std::uint64_t first, std::uint32_t count, ReceiptOutcome outcome) {
  wire::Receipt run;
  run.publication = 1;
  run.first_seq = first;
  run.count = count;
  run.outcome = outcome;
  run.delivered = outcome == ReceiptOutcome::delivered ? 2 : 0;
  return run;
}

class ReceiptWindowTest : public testing::Test {
 protected:
  ReceiptOutcome outcome(std::uint64_t seq) { return window_.find(seq).outcome; }
  ReceiptOutcome retried(std::uint64_t seq) { return window_.retry(seq).outcome; }

  ReceiptWindow window_;
  base::Nanos now_ = base::second;
};

TEST_F(ReceiptWindowTest, KnowsOnlyWhatAsked) {
  window_.ask(3, 2, now_);
  EXPECT_EQ(outcome(2), ReceiptOutcome::outside_window);
  EXPECT_EQ(outcome(3), ReceiptOutcome::pending);
  EXPECT_EQ(outcome(4), ReceiptOutcome::pending);
  EXPECT_EQ(outcome(5), ReceiptOutcome::outside_window);
}

TEST_F(ReceiptWindowTest, AReceiptIsFinal) {
  window_.ask(1, 4, now_);
  window_.settle(run_of(1, 2, ReceiptOutcome::delivered), now_);
  window_.settle(run_of(1, 4, ReceiptOutcome::no_subscriber), now_);
  EXPECT_EQ(outcome(1), ReceiptOutcome::delivered);
  EXPECT_EQ(window_.find(2).delivered_count, 2u);
  EXPECT_EQ(outcome(3), ReceiptOutcome::no_subscriber);
  EXPECT_EQ(retried(3), ReceiptOutcome::no_subscriber);
  EXPECT_EQ(window_.pending_count(), 0u);
}

TEST_F(ReceiptWindowTest, WhatANodeMayHaveHadIsUnknownWhenItIsLostAndWhatItCannotHaveHadIsNot) {
  window_.ask(1, 6, now_);
  window_.settle(run_of(1, 1, ReceiptOutcome::delivered), now_);
  window_.lose_node(4, 3, now_);
  EXPECT_EQ(outcome(1), ReceiptOutcome::delivered);
  EXPECT_EQ(outcome(2), ReceiptOutcome::unknown);
  EXPECT_EQ(outcome(4), ReceiptOutcome::unknown);
  EXPECT_EQ(outcome(5), ReceiptOutcome::pending);
  window_.settle(run_of(5, 1, ReceiptOutcome::dropped), now_);
  EXPECT_EQ(outcome(5), ReceiptOutcome::dropped);
}

TEST_F(ReceiptWindowTest, UnknownIsNeverLaterDeliveredUnlessItIsAskedAgain) {
  window_.ask(1, 2, now_);
  window_.lose_node(2, 1, now_);
  window_.settle(run_of(1, 1, ReceiptOutcome::delivered), now_);
  EXPECT_EQ(outcome(1), ReceiptOutcome::unknown);
  EXPECT_EQ(retried(1), ReceiptOutcome::delivered);
  EXPECT_EQ(outcome(1), ReceiptOutcome::delivered);
  // Asked again before the next node has told.
  EXPECT_EQ(retried(2), ReceiptOutcome::pending);
  window_.settle(run_of(2, 1, ReceiptOutcome::delivered), now_);
  EXPECT_EQ(outcome(2), ReceiptOutcome::delivered);
}

TEST_F(ReceiptWindowTest, WhatTheNextNodeDidNotDeliverTheLostOneMayHave) {
  window_.ask(1, 2, now_);
  window_.lose_node(2, 1, now_);
  EXPECT_EQ(retried(1), ReceiptOutcome::pending);
  window_.settle(run_of(1, 2, ReceiptOutcome::no_subscriber), now_);
  EXPECT_EQ(outcome(1), ReceiptOutcome::unknown);
  EXPECT_EQ(retried(1), ReceiptOutcome::unknown);
  EXPECT_EQ(retried(2), ReceiptOutcome::unknown);
}

TEST_F(ReceiptWindowTest, WhatIsNotSentAgainStaysUnknown) {
  window_.ask(1, 2, now_);
  window_.lose_node(2, 2, now_);
  EXPECT_EQ(retried(1), ReceiptOutcome::unknown);
  EXPECT_EQ(retried(2), ReceiptOutcome::pending);
  window_.lose_node(2, 3, now_);
  EXPECT_EQ(outcome(2), ReceiptOutcome::unknown);
  EXPECT_EQ(retried(2), ReceiptOutcome::unknown);
}

TEST_F(ReceiptWindowTest, ANodeThatForgotTheStreamLeavesWhatItAcceptedUnknown) {
  window_.ask(1, 3, now_);
  window_.meet_node(2, 3, now_);
  EXPECT_EQ(retried(2), ReceiptOutcome::unknown);
  EXPECT_EQ(outcome(3), ReceiptOutcome::pending);
  window_.settle(run_of(3, 1, ReceiptOutcome::no_subscriber), now_);
  EXPECT_EQ(outcome(3), ReceiptOutcome::unknown);
}

TEST_F(ReceiptWindowTest, ForgetsWhatIsNeitherAmongTheLastNorYoung) {
  window_.ask(1, 3000, now_);
  window_.settle(run_of(1, 3000, ReceiptOutcome::delivered), now_);
  window_.ask(3001, 1, now_ + 60 * base::second);
  EXPECT_EQ(outcome(1), ReceiptOutcome::delivered);
  window_.ask(3002, 1, now_ + 61 * base::second);
  EXPECT_EQ(outcome(3000 - 1024), ReceiptOutcome::outside_window);
  EXPECT_EQ(outcome(3000 - 1023), ReceiptOutcome::delivered);
  EXPECT_EQ(retried(1), ReceiptOutcome::outside_window);
}

TEST_F(ReceiptWindowTest, IsBoundWhateverIsPending) {
  for (std::uint64_t seq = 1; seq <= 2 * ReceiptWindow::items_max; seq += 64)
    window_.ask(seq, 64, now_);
  EXPECT_EQ(window_.count(), ReceiptWindow::items_max);
  EXPECT_EQ(outcome(1), ReceiptOutcome::outside_window);
  EXPECT_EQ(outcome(2 * ReceiptWindow::items_max), ReceiptOutcome::pending);
}

}  // namespace
}  // namespace abuzz::client
