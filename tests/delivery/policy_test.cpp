#include "bus/base/random.hpp"
#include "tests/delivery/switch_fixture.hpp"

namespace abuzz::delivery::test {
namespace {

using Messages = std::vector<std::uint64_t>;

class PolicyTest : public SwitchTest {
 protected:
  static Messages keys(std::size_t count) { return Messages(count, 0); }
  Messages sequences(std::size_t records_max = 10'000) {
    Messages found;
    for (const Got& got : send(records_max)) found.push_back(got.seq);
    return found;
  }
};

TEST_F(PolicyTest, DropNewTakesAPrefixOfWhatDoesNotFit) {
  advertise(1, "t.a");
  subscribe({.policy = Policy::drop_new, .bound_messages = 5});
  publish(1, keys(3));
  publish(1, keys(3));
  publish(1, keys(3));
  EXPECT_EQ(sequences(), (Messages{1, 2, 3, 4, 5}));
  settle();
  EXPECT_EQ(subscription_row().get(SubscriptionCounter::dropped_queue_full), 4u);
  EXPECT_EQ(publication_row().get(PublicationCounter::delivered), 5u);
  EXPECT_EQ(publication_row().get(PublicationCounter::dropped), 4u);
  expect_balance();
}

// Whoever of the two came first.
TEST_F(PolicyTest, WhoHasNoRoomHoldsThePublisherNotWhoKeepsUp) {
  for (const std::uint32_t full : {1u, 2u}) {
    const std::uint32_t quick = 3 - full;
    const std::uint32_t topic = full;
    for (const std::uint32_t handle : {1u, 2u}) {
      SubscribeWish wish{.handle = 2 * topic + handle, .pattern = full == 1 ? "t.*" : "u.*"};
      if (handle == full) wish.bound_messages = 4;
      subscribe(wish);
    }
    advertise(topic, full == 1 ? "t.a" : "u.a");
    while (publish(topic, {0}) == Verdict::taken) {
      send();
      settle(2 * topic + quick);
    }
    switch_.want(publisher_port, {topic, 50, 1'000'000});
    switch_.finish_cycle(now_);
    wire::ControlBuilder control;
    switch_.tell_all();
    (void)switch_.collect_control(publisher_port, control);
    const std::uint64_t holder = publication_row(topic - 1).get(PublicationCounter::holder);
    EXPECT_EQ(holder, subscription_row(2 * (topic - 1) + full - 1).index) << full;
  }
}

TEST_F(PolicyTest, DropOldKeepsTheNewest) {
  advertise(1, "t.a");
  subscribe({.policy = Policy::drop_old, .bound_messages = 5});
  publish(1, keys(3));
  publish(1, keys(3));
  publish(1, keys(3));
  EXPECT_EQ(sequences(), (Messages{5, 6, 7, 8, 9}));
  settle();
  EXPECT_EQ(subscription_row().get(SubscriptionCounter::dropped_queue_full), 4u);
  EXPECT_EQ(publication_row().get(PublicationCounter::delivered), 5u);
  EXPECT_EQ(publication_row().get(PublicationCounter::dropped), 4u);
  expect_balance();
}

TEST_F(PolicyTest, DropOldTakesTheEndOfABatchLongerThanItsBound) {
  advertise(1, "t.a");
  subscribe({.policy = Policy::drop_old, .bound_messages = 4});
  publish(1, keys(10));
  EXPECT_EQ(sequences(), (Messages{7, 8, 9, 10}));
  settle();
  expect_balance();
}

TEST_F(PolicyTest, DropOldNeverTakesBackWhatWasSent) {
  advertise(1, "t.a");
  subscribe({.policy = Policy::drop_old, .bound_messages = 4});
  publish(1, keys(2));
  EXPECT_EQ(sequences(), (Messages{1, 2}));
  publish(1, keys(4));
  publish(1, keys(4));
  EXPECT_EQ(sequences(), (Messages{7, 8, 9, 10}));
  settle();
  EXPECT_EQ(publication_row().get(PublicationCounter::delivered), 6u);
  expect_balance();
}

TEST_F(PolicyTest, DropOldIsBoundInBytesToo) {
  advertise(1, "t.a");
  subscribe({.policy = Policy::drop_old, .bound_messages = 1000, .bound_bytes = 2 * base::mib});
  for (int index = 0; index < 300; ++index) publish(1, keys(1), 15'000);
  const Messages got = sequences();
  EXPECT_GT(got.size(), 100u);
  EXPECT_LE(got.size() * 15'000, 2 * base::mib);
  EXPECT_EQ(got.back(), 300u);
  EXPECT_EQ(got.front(), 300 - got.size() + 1);
  settle();
  expect_balance();
}

TEST_F(PolicyTest, LatestKeepsTheNewestOfEachTopic) {
  advertise(1, "t.a");
  advertise(2, "t.b");
  subscribe({.policy = Policy::latest, .latest = 2});
  publish(2, keys(1));
  publish(1, keys(3));
  publish(1, keys(1));
  EXPECT_EQ(send(), (std::vector<Got>{{2, 1}, {1, 3}, {1, 4}}));
  settle();
  EXPECT_EQ(subscription_row().get(SubscriptionCounter::dropped_conflated), 2u);
  EXPECT_EQ(subscription_row().get(SubscriptionCounter::dropped_queue_full), 0u);
  expect_balance();
}

TEST_F(PolicyTest, LatestKeepsTheNewestOfEachKeyInTheOrderOfTheStream) {
  advertise(1, "t.a");
  subscribe({.policy = Policy::latest, .latest = 1});
  publish(1, {7, 8, 7, 9});
  publish(1, {8, 0, 0});
  EXPECT_EQ(sequences(), (Messages{3, 4, 5, 7}));
  settle();
  EXPECT_EQ(subscription_row().get(SubscriptionCounter::dropped_conflated), 3u);
  EXPECT_EQ(publication_row().get(PublicationCounter::delivered), 4u);
  EXPECT_EQ(publication_row().get(PublicationCounter::dropped), 3u);
  expect_balance();
}

// Places left empty in the middle of the queue are closed; the queue does not grow.
TEST_F(PolicyTest, LatestWithOneQuietAndOneBusyTopicStaysBounded) {
  advertise(1, "t.quiet");
  advertise(2, "t.busy");
  subscribe({.policy = Policy::latest, .latest = 1});
  publish(1, keys(1));
  for (int index = 0; index < 10'000; ++index) publish(2, keys(1));
  EXPECT_EQ(switch_.queued().messages, 2u);
  EXPECT_EQ(send(), (std::vector<Got>{{1, 1}, {2, 10'000}}));
  settle();
  EXPECT_EQ(subscription_row().get(SubscriptionCounter::dropped_conflated), 9999u);
  expect_balance();
}

TEST_F(PolicyTest, LatestReplacesAWholeTrain) {
  advertise(1, "t.a");
  subscribe({.policy = Policy::latest, .latest = 1});
  publish_train(1, 3, 3);
  publish_train(1, 3, 3);
  EXPECT_EQ(sequences(), (Messages{2}));
  settle();
  EXPECT_EQ(subscription_row().get(SubscriptionCounter::dropped_conflated), 1u);
  expect_balance();
}

TEST_F(PolicyTest, ATrainThatIsBegunIsFinished) {
  advertise(1, "t.a");
  subscribe({.policy = Policy::drop_old, .bound_messages = 2});
  publish_train(1, 3, 3);
  EXPECT_TRUE(sequences(1).empty());  // its first piece is on its way
  for (int index = 0; index < 5; ++index) publish(1, keys(1));
  const Messages got = sequences();
  EXPECT_EQ(got.front(), 1u);
  EXPECT_EQ(got.back(), 6u);
  settle();
  expect_balance();
}

TEST_F(PolicyTest, WhatArrivesLateOfADroppedTrainIsDropped) {
  advertise(1, "t.a");
  advertise(2, "t.b");
  subscribe({.policy = Policy::drop_old, .bound_messages = 1});
  publish_train(1, 3, 2);
  publish(2, keys(1));  // the train makes room
  publish(2, keys(1));
  publish(1, {0}, 1024, 0, {2, 3, 3072});
  EXPECT_EQ(send(), (std::vector<Got>{{2, 2}}));
  settle();
  EXPECT_EQ(subscription_row().get(SubscriptionCounter::dropped_queue_full), 2u);
  expect_balance();
}

TEST_F(PolicyTest, LosslessTakesEverythingThatWasGranted) {
  subscribe({.bound_messages = 100});
  advertise(1, "t.a");
  std::uint64_t taken = 0;
  while (publish(1, keys(1)) == Verdict::taken && taken < 1000) ++taken;
  EXPECT_GT(taken, 10u);
  EXPECT_LE(taken, 100u);
  EXPECT_EQ(send().size(), taken);
  settle();
  expect_balance();
}

TEST_F(PolicyTest, ExpiredMessagesAreCountedAndNotSent) {
  advertise(1, "t.a");
  subscribe({});
  publish(1, keys(2), 16, 50);
  publish(1, keys(2), 16, 0);
  publish(1, keys(2), 16, 500);
  now_ += 100 * base::millisecond;
  switch_.do_timers(now_);
  EXPECT_EQ(sequences(), (Messages{3, 4, 5, 6}));
  EXPECT_EQ(last_ttl_ms_, 400u);
  settle();
  EXPECT_EQ(subscription_row().get(SubscriptionCounter::dropped_expired), 2u);
  EXPECT_EQ(publication_row().get(PublicationCounter::dropped), 2u);
  expect_balance();
}

TEST_F(PolicyTest, WhatExpiresGivesALosslessPublisherItsCreditBack) {
  subscribe({.bound_messages = 8, .window_messages = 1});
  advertise(1, "t.a");
  std::uint64_t taken = 0;
  while (publish(1, keys(1), 16, 50) == Verdict::taken && taken < 100) ++taken;
  now_ += base::second;
  switch_.do_timers(now_);
  switch_.finish_cycle(now_);
  EXPECT_EQ(publish(1, keys(1), 16, 50), Verdict::taken);
  expect_balance();
}

TEST_F(PolicyTest, ARefusedPartOfARecordIsNotDelivered) {
  advertise(1, "t.a");
  subscribe({});
  publish(1, keys(10));
  EXPECT_EQ(sequences().size(), 10u);
  wire::Verdict verdict;
  verdict.subscription = 1;
  verdict.reason = static_cast<std::uint16_t>(Error::expired);
  verdict.first_delivery = 4;
  verdict.count = 7;
  EXPECT_TRUE(switch_.refuse(subscriber_port, verdict));
  EXPECT_TRUE(switch_.refuse(subscriber_port, verdict));  // told twice, counted once
  settle();
  EXPECT_EQ(publication_row().get(PublicationCounter::delivered), 3u);
  EXPECT_EQ(subscription_row().get(SubscriptionCounter::dropped_expired), 7u);
  expect_balance();
}

// Any order of what publishers, links and subscribers do leaves every message in one term.
TEST_F(PolicyTest, TheLedgerBalancesUnderRandomOperations) {
  base::Random random(seed_of_run());
  subscribe({.handle = 1, .policy = Policy::drop_old, .bound_messages = 7});
  subscribe({.handle = 2, .policy = Policy::latest, .latest = 3, .window_messages = 3});
  subscribe({.handle = 3, .policy = Policy::drop_new, .bound_messages = 9});
  subscribe({.handle = 4, .pattern = "t.a", .bound_messages = 50});
  advertise(1, "t.a");
  advertise(2, "t.b");
  advertise(3, "t.c");
  std::uint32_t next_chunk[4] = {};
  for (int step = 0; step < 200'000; ++step) {
    const auto publication = static_cast<std::uint32_t>(1 + random.below(3));
    switch (random.below(8)) {
      case 0: {  // a piece of a train of three
        std::uint32_t& chunk = next_chunk[publication];
        if (publish(publication, {random.below(3)}, 1024, 0, {chunk, 3, 3072}) == Verdict::taken)
          chunk = (chunk + 1) % 3;
        break;
      }
      case 1:
      case 2:
      case 3: {
        Messages some(1 + random.below(6));
        for (std::uint64_t& key : some) key = random.below(4);
        const auto ttl_ms = random.below(4) == 0 ? static_cast<std::uint32_t>(random.below(50)) : 0;
        if (next_chunk[publication] == 0) (void)publish(publication, some, 16, ttl_ms);
        break;
      }
      case 4:
        (void)send(random.below(5));
        break;
      case 5:
        settle(static_cast<std::uint32_t>(1 + random.below(4)), random.below(5));
        break;
      default:
        now_ += static_cast<base::Nanos>(random.below(5)) * base::millisecond;
        switch_.do_timers(now_);
        switch_.finish_cycle(now_);
    }
    if (step % 100 == 0) expect_balance();
    if (HasFailure()) break;
  }
  expect_balance();
}

}  // namespace
}  // namespace abuzz::delivery::test
