#include "tests/delivery/group_fixture.hpp"

// Groups in the switch: one member for each message, and what becomes of it.

namespace abuzz::delivery::test {
namespace {

using Numbers = std::vector<std::uint64_t>;
using Word = wire::LeaseWord;

GroupWish manual(std::uint32_t attempts_max = 3) {
  GroupWish wish;
  wish.ack_ms = 30'000;
  wish.attempts_max = attempts_max;
  return wish;
}

TEST_F(GroupTest, EachMessageGoesToOneMember) {
  advertise(1, "t.a");
  join(2);
  join(3);
  std::set<std::uint64_t> seen;
  for (int round = 0; round < 10; ++round) {
    publish(1, {0, 0, 0});
    for (int turn = 0; turn < 4; ++turn)
      for (const PortId port : {PortId{2}, PortId{3}})
        for (const Message& message : take(port)) {
          EXPECT_TRUE(seen.insert(message.seq).second);
          EXPECT_EQ(message.attempt, 1);
          EXPECT_FALSE(message.may_repeat);
          handle(port, message);
        }
  }
  EXPECT_EQ(seen.size(), 30u);
  EXPECT_EQ(of_pairs(PairCounter::delivered), 30u);
  EXPECT_EQ(of_group(SubscriptionCounter::delivered), 30u);
  EXPECT_EQ(publication_row().get(PublicationCounter::delivered), 30u);
  EXPECT_EQ(publication_row().get(PublicationCounter::match_count), 1u);
  expect_balance();
}

TEST_F(GroupTest, AGroupIsOnePairBesideOthers) {
  advertise(1, "t.a");
  subscribe({});
  join(3);
  join(4);
  publish(1, {0});
  EXPECT_EQ(publication_row().get(PublicationCounter::match_count), 2u);
  EXPECT_EQ(of_pairs(PairCounter::matched), 2u);
  expect_balance();
}

TEST_F(GroupTest, WhoDiesLeavesItsMessagesToTheOthersAtOnce) {
  advertise(1, "t.a");
  join(2);
  publish(1, {0, 0, 0});
  const std::vector<Message> first = take(2);
  ASSERT_FALSE(first.empty());
  die(2);
  join(3);
  std::vector<Message> again = take(3);
  while (again.size() < 3) {
    handle(3, again.back());
    const std::vector<Message> more = take(3);
    ASSERT_FALSE(more.empty());
    again.insert(again.end(), more.begin(), more.end());
  }
  EXPECT_EQ(seqs(again), (Numbers{1, 2, 3}));
  EXPECT_EQ(again[0].attempt, 2);
  EXPECT_TRUE(again[0].may_repeat);
  handle(3, again.back());
  EXPECT_EQ(of_pairs(PairCounter::delivered), 3u);
  EXPECT_EQ(of_pairs(PairCounter::unknown_peer_gone), 0u);
  EXPECT_GE(of_group(SubscriptionCounter::redelivered), 1u);
  expect_balance();
}

TEST_F(GroupTest, WhatWasHandledBeforeADeathIsNotTriedAgain) {
  advertise(1, "t.a");
  join(2);
  for (int index = 0; index < 6; ++index) publish(1, {0});
  std::vector<Message> got = take(2);
  handle(2, got.back());
  for (const Message& message : take(2)) got.push_back(message);
  ASSERT_GT(got.size(), 1u);
  const std::uint64_t handled = got.size() - 1;
  handle(2, got[got.size() - 2]);
  join(3);
  die(2);
  std::vector<Message> rest = take(3);
  ASSERT_FALSE(rest.empty());
  EXPECT_EQ(rest[0].seq, got.back().seq);
  EXPECT_EQ(of_pairs(PairCounter::delivered), handled);
  expect_balance();
}

TEST_F(GroupTest, WhoLeavesInOrderTriedOnlyWhatItHandled) {
  advertise(1, "t.a");
  join(2);
  publish(1, {0, 0, 0});
  const std::vector<Message> got = take(2);
  switch_.unsubscribe(2, 1);
  join(3);
  const std::vector<Message> again = take(3);
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again[0].seq, got[0].seq);
  EXPECT_EQ(again[0].attempt, 1);
  EXPECT_FALSE(again[0].may_repeat);
  expect_balance();
}

TEST_F(GroupTest, AMessageIsAcknowledgedOnce) {
  advertise(1, "t.a");
  join(2, manual());
  publish(1, {0});
  const std::vector<Message> got = take(2);
  ASSERT_EQ(got.size(), 1u);
  handle(2, got[0]);
  EXPECT_EQ(of_pairs(PairCounter::delivered), 0u);
  EXPECT_EQ(of_group(SubscriptionCounter::leased), 1u);
  ack(2, got[0]);
  EXPECT_EQ(of_pairs(PairCounter::delivered), 1u);
  EXPECT_EQ(of_group(SubscriptionCounter::leased), 0u);
  ack(2, got[0]);
  say(2, got[0], Word::nak);
  EXPECT_EQ(of_pairs(PairCounter::delivered), 1u);
  expect_balance();
}

TEST_F(GroupTest, WhatIsGivenBackWaitsAsLongAsAsked) {
  advertise(1, "t.a");
  join(2, manual());
  publish(1, {0});
  const std::vector<Message> got = take(2);
  say(2, got.at(0), Word::nak, 5000);
  EXPECT_TRUE(take(2).empty());
  expect_balance();
  pass(4900 * base::millisecond);
  EXPECT_TRUE(take(2).empty());
  pass(200 * base::millisecond);
  const std::vector<Message> again = take(2);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].attempt, 2);
  EXPECT_TRUE(again[0].may_repeat);
  ack(2, got[0]);  // of the attempt before
  EXPECT_EQ(of_pairs(PairCounter::delivered), 0u);
  ack(2, again[0]);
  EXPECT_EQ(of_pairs(PairCounter::delivered), 1u);
  EXPECT_EQ(of_group(SubscriptionCounter::nacked), 1u);
  expect_balance();
}

TEST_F(GroupTest, GivenBackWithoutDelayItComesAtOnce) {
  advertise(1, "t.a");
  join(2, manual());
  publish(1, {0});
  say(2, take(2).at(0), Word::nak, 0);
  EXPECT_EQ(take(2).at(0).attempt, 2);
}

TEST_F(GroupTest, WhatIsNotAcknowledgedInTimeGoesToAnother) {
  advertise(1, "t.a");
  join(2, manual());
  publish(1, {0});
  const std::vector<Message> got = take(2);
  handle(2, got.at(0));
  join(3, manual());
  pass(29 * base::second);
  EXPECT_TRUE(take(3).empty());
  say(2, got[0], Word::in_progress);
  pass(29 * base::second);
  EXPECT_TRUE(take(3).empty());
  pass(1100 * base::millisecond);  // lapsed
  pass(200 * base::millisecond);   // backed off
  std::vector<Message> again = take(3);
  PortId holder = 3;
  if (again.empty()) again = take(holder = 2);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].attempt, 2);
  EXPECT_EQ(of_group(SubscriptionCounter::lapsed), 1u);
  ack(2, got[0]);
  EXPECT_EQ(of_pairs(PairCounter::delivered), 0u);
  ack(holder, again[0]);
  EXPECT_EQ(of_pairs(PairCounter::delivered), 1u);
  expect_balance();
}

TEST_F(GroupTest, AMessageThatAlwaysFailsDiesOnce) {
  advertise(1, "t.a");
  join(2, manual(3));
  publish(1, {0});
  publish(1, {0});
  std::vector<std::uint16_t> attempts;
  for (int round = 0; round < 60; ++round) {
    for (const Message& message : take(2)) {
      if (message.seq == 2) {
        ack(2, message);
        continue;
      }
      attempts.push_back(message.attempt);
      say(2, message, Word::nak, wire::delay_by_node);
    }
    pass(50 * base::millisecond);
  }
  EXPECT_EQ(attempts, (std::vector<std::uint16_t>{1, 2, 3}));
  EXPECT_EQ(of_group(SubscriptionCounter::dropped_dead), 1u);
  EXPECT_EQ(of_pairs(PairCounter::dropped_dead), 1u);
  EXPECT_EQ(of_pairs(PairCounter::delivered), 1u);
  EXPECT_EQ(publication_row().get(PublicationCounter::dropped), 1u);
  EXPECT_EQ(stats_->process().get(ProcessCounter::dead_letters), 1u);
}

TEST_F(GroupTest, WhoComesLaterReadsTheLetters) {
  advertise(1, "t.a");
  join(2, manual(1));
  publish(1, {0});
  publish(1, {0});
  for (int round = 0; round < 4; ++round)
    for (const Message& message : take(2)) say(2, message, Word::nak);
  subscribe({.handle = 7, .pattern = "$dead.>", .policy = Policy::drop_new});
  EXPECT_EQ(send(), (std::vector<Got>{{1, 1}, {1, 2}}));
  settle(7);
  publish(1, {0});
  say(2, take(2).at(0), Word::nak);
  EXPECT_EQ(send(), (std::vector<Got>{{1, 3}}));
  settle(7);
  expect_balance();
}

TEST_F(GroupTest, ADeathCountsAsAnAttempt) {
  advertise(1, "t.a");
  GroupWish wish;
  wish.attempts_max = 2;
  join(2, wish);
  join(3, wish);
  publish(1, {0});
  PortId holder = take(2).empty() ? 3 : 2;
  const PortId other = 5 - holder;
  if (holder == 3) {
    ASSERT_FALSE(take(3).empty());
  }
  die(holder);
  ASSERT_EQ(take(other).size(), 1u);
  join(4, wish);
  die(other);
  EXPECT_TRUE(take(4).empty());
  EXPECT_EQ(of_pairs(PairCounter::dropped_dead), 1u);
  EXPECT_EQ(of_group(SubscriptionCounter::dropped_dead), 1u);
}

TEST_F(GroupTest, ThePublisherKeepsWhatIsNotAcknowledged) {
  advertise(1, "t.a");
  join(2, manual());
  publish(1, {0});
  const std::vector<Message> got = take(2);
  handle(2, got.at(0));
  wire::ControlBuilder control;
  const auto settled = [&] {
    struct Sink : wire::ControlSink {
      void on(const wire::Credit& item) override { seq = item.settled_seq; }
      std::uint64_t seq = 0;
    } sink;
    std::vector<std::byte> scratch(wire::control_bytes_read_max);
    switch_.tell_all();
    (void)switch_.collect_control(publisher_port, control);
    EXPECT_EQ(wire::read_control(control.finish(), scratch, sink), wire::Reject::none);
    return sink.seq;
  };
  EXPECT_EQ(settled(), 0u);
  ack(2, got[0]);
  EXPECT_EQ(settled(), 1u);
}

TEST_F(GroupTest, APublisherIsHeldByTheBoundOfTheGroup) {
  GroupWish wish = manual();
  wish.bound_messages = 8;
  join(2, wish);
  advertise(1, "t.a");
  std::size_t taken = 0;
  while (publish(1, {0}) == Verdict::taken && taken < 100) ++taken;
  EXPECT_EQ(taken, 8u);
  const std::vector<Message> got = take(2);
  ack(2, got.at(0));
  wire::Want want{1, 100, 1'000'000};
  switch_.want(publisher_port, want);
  switch_.finish_cycle(now_);
  EXPECT_EQ(publish(1, {0}), Verdict::taken);
  EXPECT_EQ(publish(1, {0}), Verdict::over_limit);
}

TEST_F(GroupTest, WithoutMembersTheQueueWaitsAndThenGoes) {
  advertise(1, "t.a");
  join(2);
  publish(1, {0, 0});
  die(2);
  pass(500 * base::millisecond);
  publish(1, {0});
  expect_balance();
  join(3);
  std::vector<Message> got;
  for (int round = 0; round < 4; ++round)
    for (const Message& message : take(3)) {
      got.push_back(message);
      handle(3, message);
    }
  EXPECT_EQ(seqs(got), (Numbers{1, 2, 3}));
  publish(1, {0});
  die(3);
  pass(1100 * base::millisecond);
  EXPECT_EQ(row_of(RowKind::topic, 0).get(TopicCounter::dropped_peer_gone), 1u);
  EXPECT_EQ(row_of(RowKind::topic, 0).get(TopicCounter::delivered), 3u);
  EXPECT_EQ(switch_.unsettled_messages(), 0u);
  EXPECT_EQ(publication_row().get(PublicationCounter::match_count), 0u);
}

TEST_F(GroupTest, MembersThatDifferAreRefused) {
  join(2);
  GroupWish other;
  other.mode = GroupMode::round_robin;
  EXPECT_EQ(try_join(3, other), number(Error::group_conflict));
  EXPECT_EQ(try_join(3, manual()), number(Error::group_conflict));
  other = {};
  other.attempts_max = 9;
  EXPECT_EQ(try_join(3, other), number(Error::group_conflict));
  other = {};
  other.pattern = "t.>";
  other.attempts_max = 9;
  EXPECT_EQ(try_join(3, other), 0);  // that is another group
  other.policy = Policy::latest;
  EXPECT_NE(try_join(4, other), 0);
  other = {};
  other.group = "two words";
  EXPECT_NE(try_join(4, other), 0);
}

TEST_F(GroupTest, AKeyKeepsItsOrder) {
  GroupWish wish;
  wish.mode = GroupMode::sticky;
  advertise(1, "t.a");
  join(2, wish);
  join(3, wish);
  std::map<std::uint64_t, PortId> homes;
  std::map<PortId, std::vector<Message>> got;
  std::vector<std::uint64_t> keys;
  for (int round = 0; round < 8; ++round) {
    const std::vector<std::uint64_t> batch = {5, 6, 6, 7, 5, 8, 9, 10, 11, 12};
    publish(1, batch);
    keys.insert(keys.end(), batch.begin(), batch.end());
    for (const PortId port : {PortId{2}, PortId{3}})
      for (const Message& message : take(port)) {
        const std::uint64_t key = keys[message.seq - 1];
        EXPECT_EQ(homes.try_emplace(key, port).first->second, port);
        got[port].push_back(message);
      }
  }
  EXPECT_EQ(got[2].size() + got[3].size(), 80u);
  ASSERT_FALSE(got[2].empty() || got[3].empty());
  for (auto& [port, messages] : got) {
    EXPECT_TRUE(std::is_sorted(messages.begin(), messages.end(),
                               [](auto& a, auto& b) { return a.seq < b.seq; }));
    handle(port, messages.back());
  }
  EXPECT_EQ(of_pairs(PairCounter::delivered), 80u);
  expect_balance();
}

TEST_F(GroupTest, AMessageInChunksGoesWholeToOneMemberAndAgain) {
  advertise(1, "t.a");
  join(2, manual());
  publish_train(1, 3, 2);
  EXPECT_TRUE(take(2).empty());
  ASSERT_EQ(publish(1, {0}, 1024, 0, {2, 3, 3 * 1024}), Verdict::taken);
  std::vector<Message> got = take(2);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(workers_[2].told[wire::Lane::normal].received_no, 3u);
  say(2, got[0], Word::nak, 0);
  got = take(2);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].attempt, 2);
  EXPECT_EQ(workers_[2].told[wire::Lane::normal].received_no, 6u);
  expect_balance();
  ack(2, got[0]);
  EXPECT_EQ(of_pairs(PairCounter::delivered), 1u);
  EXPECT_EQ(switch_.unsettled_messages(), 0u);
  expect_balance();
}

TEST_F(GroupTest, ABrokenTrainLeavesNothing) {
  advertise(1, "t.a");
  join(2);
  publish_train(1, 3, 2);
  wire::Record record;
  record.kind = wire::RecordKind::abort;
  record.handle = 1;
  EXPECT_EQ(switch_.accept_abort(publisher_port, record), Verdict::taken);
  publish(1, {0});
  const std::vector<Message> got = take(2);
  EXPECT_EQ(seqs(got), Numbers{1});
  handle(2, got.at(0));
  switch_.withdraw(publisher_port, 1);
  EXPECT_EQ(switch_.publication_count(), 0u);
  EXPECT_EQ(row_of(RowKind::publication, 0).kind, RowKind::free);
}

TEST_F(GroupTest, WhatExpiresWaitingIsDropped) {
  GroupWish wish;
  advertise(1, "t.a");
  join(2, wish);
  publish(1, {0, 0}, 16, 100);
  die(2);
  pass(200 * base::millisecond);
  EXPECT_EQ(of_pairs(PairCounter::dropped_expired), 2u);
  expect_balance();
}

TEST_F(GroupTest, ALostLinkOfAMemberIsTakenUpAgain) {
  advertise(1, "t.a");
  join(2);
  publish(1, {0});
  switch_.finish_cycle(now_);
  Switch::Outgoing next;
  ASSERT_TRUE(switch_.peek(2, next));
  switch_.mark_sent(2);  // and lost with the link
  switch_.suspend_port(2, now_);
  publish(1, {0});
  switch_.open_port(2, "worker-2");
  wire::Subscribe item;
  item.subscription = 1;
  item.pattern = "t.*";
  item.resumes = true;
  ASSERT_EQ(switch_.subscribe(2, item, now_).error, 0);
  const std::vector<Message> got = take(2);
  EXPECT_EQ(got.at(0).seq, 1u);
  EXPECT_EQ(got.at(0).delivery, 1u);
  handle(2, got.back());
  for (const Message& message : take(2)) handle(2, message);
  EXPECT_EQ(of_pairs(PairCounter::delivered), 2u);
  expect_balance();
}

TEST_F(GroupTest, TheNodesOwnGroupsTryOnce) {
  GroupWish wish;
  wish.group = "$responders";
  wish.attempts_max = 1;
  advertise(1, "t.a");
  join(2, wish);
  publish(1, {0});
  ASSERT_EQ(take(2).size(), 1u);
  join(3, wish);
  die(2);
  EXPECT_TRUE(take(3).empty());
  EXPECT_EQ(of_pairs(PairCounter::unknown_peer_gone), 1u);
  EXPECT_EQ(stats_->process().get(ProcessCounter::dead_letters), 0u);
}

TEST_F(GroupTest, ALeaseWordMustNameWhatWasSent) {
  advertise(1, "t.a");
  join(2, manual());
  wire::LeaseAct act;
  act.subscription = 1;
  act.first_delivery = 1;
  act.count = 1;
  EXPECT_FALSE(switch_.act(2, act, now_));
  publish(1, {0});
  (void)take(2);
  act.count = 2;
  EXPECT_FALSE(switch_.act(2, act, now_));
  act.count = 1;
  EXPECT_TRUE(switch_.act(2, act, now_));
}

TEST_F(GroupTest, ALongLeaseDoesNotHoldTheOthers) {
  advertise(1, "t.a");
  join(2, manual());
  publish(1, {0});
  const Message held = take(2).at(0);
  for (int round = 0; round < 1000; ++round) {
    publish(1, {0});
    for (const Message& message : take(2)) ack(2, message);
  }
  EXPECT_EQ(of_pairs(PairCounter::delivered), 1000u);
  ack(2, held);
  EXPECT_EQ(of_pairs(PairCounter::delivered), 1001u);
  expect_balance();
}

}  // namespace
}  // namespace abuzz::delivery::test
