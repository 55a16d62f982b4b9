#include "bus/delivery/dealer.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

#include "bus/delivery/records.hpp"

// Who gets what, by hand: time and chance are the test's.

namespace abuzz::delivery {
namespace {

class DealerTest : public ::testing::Test {
 protected:
  Dealer make(GroupMode mode, std::uint32_t leased_max = 1024) { return {mode, leased_max}; }
  Member& join(Dealer& dealer, std::uint64_t window_bytes = base::mib) {
    return dealer.add(subscription_, window_bytes);
  }
  // Deals one message; nullptr when it has to wait.
  Member* deal(Dealer& dealer, std::uint64_t key = 0, std::uint64_t bytes = 100) {
    Member* member = dealer.choose({key, bytes, false}, random_, now_);
    if (member != nullptr) dealer.note_dealt(*member, {1, bytes}, now_);
    return member;
  }
  // Its workers take all it has, and are done with it.
  void finish(Dealer& dealer, Member& member) {
    dealer.note_taken(member, member.dealt, now_);
    dealer.note_resolved(member, member.leased);
    Dealer::note_handled(member, member.dealt.messages);
  }

  Subscription subscription_;
  base::Random random_{7};
  base::Nanos now_ = base::second;
};

TEST_F(DealerTest, NobodyGetsAnythingInAGroupWithoutMembers) {
  Dealer dealer = make(GroupMode::least_outstanding);
  EXPECT_EQ(deal(dealer), nullptr);
}

TEST_F(DealerTest, MembersThatAreBusyGetOneEach) {
  Dealer dealer = make(GroupMode::least_outstanding);
  std::set<Member*> all;
  for (int index = 0; index < 4; ++index) all.insert(&join(dealer));
  std::set<Member*> got;
  for (int index = 0; index < 4; ++index) got.insert(deal(dealer));
  EXPECT_EQ(got, all);
  EXPECT_EQ(deal(dealer), nullptr);
}

TEST_F(DealerTest, TheOneWithLessInHandIsChosen) {
  Dealer dealer = make(GroupMode::least_outstanding);
  Member& busy = join(dealer);
  Member& idle = join(dealer);
  (void)deal(dealer);
  (void)deal(dealer);
  dealer.note_taken(busy, busy.dealt, now_);  // taken, not resolved
  finish(dealer, idle);
  for (int index = 0; index < 8; ++index) {
    EXPECT_EQ(dealer.choose({0, 100, false}, random_, now_), &idle);
  }
}

TEST_F(DealerTest, InTurnMeansInTurn) {
  Dealer dealer = make(GroupMode::round_robin);
  std::vector<Member*> members;
  for (int index = 0; index < 3; ++index) members.push_back(&join(dealer));
  for (int round = 0; round < 5; ++round)
    for (Member* member : members) {
      EXPECT_EQ(deal(dealer), member);
      finish(dealer, *member);
    }
}

TEST_F(DealerTest, WhoIsFullLosesItsTurn) {
  Dealer dealer = make(GroupMode::round_robin);
  Member& slow = join(dealer);
  Member& quick = join(dealer);
  EXPECT_EQ(deal(dealer), &slow);
  for (int index = 0; index < 5; ++index) {
    EXPECT_EQ(deal(dealer), &quick);
    finish(dealer, quick);
  }
}

TEST_F(DealerTest, AKeyStaysWithItsMember) {
  Dealer dealer = make(GroupMode::sticky);
  for (int index = 0; index < 4; ++index) (void)join(dealer);
  std::map<std::uint64_t, Member*> homes;
  for (std::uint64_t key = 1; key <= 40; ++key) homes[key] = deal(dealer, key);
  std::set<Member*> used;
  for (const auto& [key, member] : homes) used.insert(member);
  EXPECT_EQ(used.size(), 4u);
  (void)join(dealer);
  for (const auto& [key, member] : homes) EXPECT_EQ(deal(dealer, key), member);
}

TEST_F(DealerTest, OnlyTheKeysOfAMemberThatLeavesMove) {
  Dealer dealer = make(GroupMode::sticky);
  for (int index = 0; index < 3; ++index) (void)join(dealer);
  std::map<std::uint64_t, Member*> homes;
  for (std::uint64_t key = 1; key <= 30; ++key) homes[key] = deal(dealer, key);
  Member* leaving = homes[1];
  dealer.remove(*leaving);
  for (const auto& [key, member] : homes) {
    Member* now = deal(dealer, key);
    if (member == leaving)
      EXPECT_NE(now, leaving);
    else
      EXPECT_EQ(now, member);
  }
}

TEST_F(DealerTest, AKeySpillsOnlyWhenItsMemberWasFullForSomeTime) {
  Dealer dealer = make(GroupMode::sticky);
  for (int index = 0; index < 2; ++index) (void)join(dealer);
  Member* home = deal(dealer, 5);
  for (std::uint32_t index = 1; index < Dealer::sticky_waiting_max; ++index)
    EXPECT_EQ(deal(dealer, 5), home);
  EXPECT_EQ(deal(dealer, 5), nullptr);
  now_ += Dealer::spill_after - 1;
  EXPECT_EQ(deal(dealer, 5), nullptr);
  now_ += 1;
  Member* other = deal(dealer, 5);
  EXPECT_NE(other, nullptr);
  EXPECT_NE(other, home);
  finish(dealer, *home);
  EXPECT_EQ(deal(dealer, 5), home);
}

TEST_F(DealerTest, WhoTakesQuicklyGetsMoreAtOnce) {
  Dealer dealer = make(GroupMode::least_outstanding);
  Member& member = join(dealer);
  std::uint64_t got = 0;
  for (int round = 0; round < 40; ++round) {
    std::uint64_t now = 0;
    while (deal(dealer) != nullptr) ++now;
    got = std::max(got, now);
    now_ += 100 * base::microsecond;
    finish(dealer, member);
  }
  EXPECT_GE(got, 256u);
}

TEST_F(DealerTest, WhoIsSlowHasOneWaiting) {
  Dealer dealer = make(GroupMode::least_outstanding);
  Member& member = join(dealer);
  for (int round = 0; round < 20; ++round) {
    EXPECT_NE(deal(dealer), nullptr);
    EXPECT_EQ(deal(dealer), nullptr);
    now_ += 50 * base::millisecond;
    finish(dealer, member);
  }
}

TEST_F(DealerTest, NoMemberIsLeasedMoreThanTheMost) {
  Dealer dealer = make(GroupMode::least_outstanding, 5);
  Member& member = join(dealer);
  int dealt = 0;
  for (int round = 0; round < 20; ++round) {
    while (deal(dealer) != nullptr) ++dealt;
    now_ += 10 * base::microsecond;
    dealer.note_taken(member, member.dealt, now_);
  }
  EXPECT_EQ(dealt, 5);
  dealer.note_resolved(member, 2);
  EXPECT_NE(deal(dealer), nullptr);
}

TEST_F(DealerTest, BytesCountWhereSomethingWaits) {
  Dealer dealer = make(GroupMode::sticky);
  Member& member = join(dealer, 1000);
  EXPECT_EQ(deal(dealer, 1, 5000), &member);  // nothing else waits there
  EXPECT_EQ(deal(dealer, 1, 1), nullptr);
  finish(dealer, member);
  EXPECT_EQ(deal(dealer, 1, 600), &member);
  EXPECT_EQ(deal(dealer, 1, 400), &member);
  EXPECT_EQ(deal(dealer, 1, 1), nullptr);
}

TEST_F(DealerTest, ASuspectGoesToOneThatHasNothingElse) {
  Dealer dealer = make(GroupMode::sticky);
  Member& busy = join(dealer);
  EXPECT_EQ(deal(dealer), &busy);
  EXPECT_EQ(dealer.choose({0, 100, true}, random_, now_), nullptr);
  Member& idle = join(dealer);
  EXPECT_EQ(dealer.choose({0, 100, true}, random_, now_), &idle);
  dealer.note_dealt(idle, {1, 100}, now_);
  idle.has_suspect = true;
  for (int index = 0; index < 5; ++index) EXPECT_EQ(deal(dealer), &busy);
  finish(dealer, busy);
  EXPECT_EQ(dealer.choose({0, 100, true}, random_, now_), &busy);
  finish(dealer, idle);
  EXPECT_NE(deal(dealer), nullptr);
}

TEST_F(DealerTest, ARunIsTheMembersPartOfWhatWaits) {
  Dealer dealer = make(GroupMode::sticky);
  Member& member = join(dealer);
  (void)join(dealer);
  EXPECT_EQ(dealer.run_length(member, 1), 1u);
  EXPECT_EQ(dealer.run_length(member, 8), 2u);
  EXPECT_EQ(dealer.run_length(member, 100'000), Dealer::run_messages_max);
  dealer.note_dealt(member, {60, 100}, now_);
  EXPECT_EQ(dealer.run_length(member, 100'000), 4u);
}

}  // namespace
}  // namespace abuzz::delivery
