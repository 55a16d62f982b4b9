#include <gtest/gtest.h>

#include "tests/model/simulated_bus.hpp"

// Frames that a link loses, and words that are lost with a link: what the random acts of RandomBus
// found, each in its shortest form.

namespace abuzz::testing {
namespace {

class Repair : public ::testing::Test {
 protected:
  Repair() {
    pass(500 * base::millisecond);
    seen_ = &reader_.add_subscription("topic");
    writer_.add_publisher("topic");
    pass(base::second);
  }
  void pass(base::Nanos span) {
    for (; span > 0; span -= base::millisecond) {
      node_.clock().advance(base::millisecond);
      node_.step(1);
      writer_.step();
      reader_.step();
    }
  }
  void lose_all(bool all) { node_.network().set_faults({0, 0, all ? 1u : 0u}); }
  void publish(std::int64_t ttl_ms = 0) {
    MessageOptions options;
    options.time_to_live = std::chrono::milliseconds(ttl_ms);
    ASSERT_EQ(writer_.publish(0, 100, options), SendStatus::queued);
  }
  FlushReport report() { return writer_.publisher(0).report(); }
  void expect_one_delivered() {
    EXPECT_EQ(seen_->messages, 1u);
    EXPECT_EQ(report().delivered, 1u);
    EXPECT_EQ(node_.count(ProcessCounter::strikes), 0u);
  }

  const Config config_;
  Trace trace_;
  mem::ProcessMemory memory_;
  mem::Pool pool_{agent_classes, memory_};
  node::test::LoopNode node_;
  SimulatedAgent writer_{node_, pool_, config_, "writer", 7, trace_};
  SimulatedAgent reader_{node_, pool_, config_, "reader", 8, trace_};
  Seen* seen_ = nullptr;
};

TEST_F(Repair, FindsThatTheLastFrameToTheNodeWasLost) {
  lose_all(true);
  publish();
  lose_all(false);
  pass(2 * base::second);
  expect_one_delivered();
  EXPECT_EQ(node_.count(ProcessCounter::links_broken), 1u);
}

TEST_F(Repair, FindsThatTheLastFrameToAnAgentWasLost) {
  publish();
  lose_all(true);
  node_.step(1);
  lose_all(false);
  EXPECT_EQ(seen_->messages, 0u);
  pass(2 * base::second);
  expect_one_delivered();
  EXPECT_EQ(reader_.core().stats().process().get(ProcessCounter::links_broken), 1u);
}

TEST_F(Repair, FindsThatOneOfManyFramesWasLost) {
  for (int round = 0; round < 20; ++round) {
    lose_all(round == 7);
    publish();
    node_.step(1);
  }
  pass(2 * base::second);
  EXPECT_EQ(seen_->messages, 20u);
  EXPECT_EQ(seen_->disorder, 0u);
  EXPECT_EQ(report().delivered, 20u);
  EXPECT_EQ(node_.count(ProcessCounter::strikes), 0u);
}

TEST_F(Repair, AsksNothingOnALinkThatIsAtRest) {
  publish();
  pass(2 * base::second);
  const std::uint64_t before = node_.count(ProcessCounter::frames_out);
  pass(60 * base::second);
  EXPECT_EQ(node_.count(ProcessCounter::frames_out), before);
}

// A subscriber that was stopped finds frames that have waited: their time went on.
TEST_F(Repair, CountsWhatAMessageWasOnItsWayAgainstItsTime) {
  publish(5);
  node_.step(2);
  node_.clock().advance(20 * base::millisecond);
  pass(base::second);
  EXPECT_EQ(seen_->messages, 0u);
  EXPECT_EQ(report().dropped, 1u);
}

TEST_F(Repair, TellsAgainWhatWasRefusedWhenTheWordOfItIsLost) {
  publish(5);
  node_.step(2);
  node_.clock().advance(20 * base::millisecond);
  reader_.step();  // refuses it
  lose_all(true);
  reader_.step();  // says so
  node_.network().cut_links();
  lose_all(false);
  pass(2 * base::second);
  EXPECT_EQ(report().delivered, 0u);
  EXPECT_EQ(report().dropped, 1u);
}

TEST_F(Repair, TellsTheNextNodeNothingOfWhatTheLastOneDelivered) {
  publish(5);
  node_.step(2);
  node_.clock().advance(20 * base::millisecond);
  reader_.step();
  node_.restart();
  pass(2 * base::second);
  EXPECT_EQ(node_.count(ProcessCounter::strikes), 0u);
  publish();
  pass(base::second);
  EXPECT_EQ(report().delivered, 1u);
}

TEST_F(Repair, LetsAHandleBeUsedAgainThoughTheEndOfItsPublisherWasNotHeard) {
  lose_all(true);
  writer_.publisher(0).release();
  writer_.step();
  node_.network().cut_links();
  lose_all(false);
  client::PublisherCore& next = writer_.add_publisher("other");
  pass(base::second);
  EXPECT_EQ(next.news().state.read(), client::StreamState::open);
}

TEST_F(Repair, ForgetsAPublisherWhoseEndWasNotHeard) {
  lose_all(true);
  writer_.publisher(0).release();
  writer_.step();
  node_.network().cut_links();
  lose_all(false);
  pass(base::second);
  EXPECT_EQ(node_.count(ProcessCounter::publications_now), 1u);
  pass(12 * base::second);
  EXPECT_EQ(node_.count(ProcessCounter::publications_now), 0u);
}

// More publishers than its bound has room for: credit goes round, and that is no standing still.
TEST_F(Repair, DoesNotTakeASubscriptionForStalledThatHasNothingToHandle) {
  SubscribeOptions options;
  options.queue_messages = 1;
  options.stall_limit = std::chrono::milliseconds(200);
  Seen& few = reader_.add_subscription("many.*", options);
  for (int index = 0; index < 20; ++index) writer_.add_publisher("many.t" + std::to_string(index));
  pass(base::second);
  for (std::size_t index = 1; index <= 20; ++index) {
    ASSERT_EQ(writer_.publish(index, 100), SendStatus::queued);
  }
  pass(20 * base::second);
  EXPECT_EQ(few.messages, 20u);
  EXPECT_EQ(reader_.subscription(1).state.read(), client::SubscriptionState::live);
}

}  // namespace
}  // namespace abuzz::testing
