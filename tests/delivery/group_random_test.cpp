#include "bus/base/random.hpp"
#include "tests/delivery/group_fixture.hpp"

// Groups under everything at once: members come, die, leave, lose their links, forget their leases
// and give messages back, in an order that chance decides. Each message is acknowledged once or
// dead, and the ledger balances all the while. A seed repeats exactly.

namespace abuzz::delivery::test {
namespace {

constexpr base::Nanos lease_time = 30 * base::second;

class GroupRandom : public GroupTest {
 protected:
  struct Copy {
    Message message;
    base::Nanos at = 0;
  };
  struct Fate {
    std::uint16_t attempt = 0;  // the last that was dealt
    bool is_acked = false;      // while it was leased for sure
  };

  std::uint64_t chance(std::uint64_t bound) { return random_.below(bound); }

  PortId any_member() {
    if (hands_.empty()) return 0;
    auto member = hands_.begin();
    std::advance(member, static_cast<long>(chance(hands_.size())));
    return member->first;
  }
  void add_member() {
    if (hands_.size() >= 5) return;
    join(++last_port_, wish_);
    hands_[last_port_] = {};
  }
  void publish_some() {
    std::vector<std::uint64_t> keys;
    for (std::uint64_t count = 1 + chance(12); count > 0; --count) keys.push_back(chance(6));
    (void)publish(static_cast<std::uint32_t>(1 + chance(2)), keys);
  }
  void take_some(PortId port) {
    for (const Message& message : take(port)) {
      Fate& fate = fates_[{message.publication, message.seq}];
      EXPECT_FALSE(fate.is_acked) << "seq " << message.seq << " came after its ack";
      EXPECT_LE(message.attempt, wish_.attempts_max);
      EXPECT_GE(message.attempt, fate.attempt);
      EXPECT_TRUE(message.attempt == 1 || message.may_repeat);
      fate.attempt = message.attempt;
      hands_[port].push_back({message, now_});
      // Its handler returns, and the lease goes on.
      if (wish_.ack_ms > 0) handle(port, message);
    }
  }
  void speak(PortId port) {
    std::vector<Copy>& hand = hands_[port];
    if (hand.empty()) return;
    const std::size_t index = chance(hand.size());
    const Copy copy = hand[index];
    const std::uint64_t word = is_kind_ ? 0 : chance(20);
    if (wish_.ack_ms == 0) {  // in order, as handlers return
      for (std::size_t place = 0; place <= index; ++place) note_done(hand[place]);
      handle(port, copy.message);
      hand.erase(hand.begin(), hand.begin() + static_cast<long>(index) + 1);
      return;
    }
    if (word == 1) return say(port, copy.message, wire::LeaseWord::in_progress);
    if (word < 4) {
      say(port, copy.message, wire::LeaseWord::nak, static_cast<std::uint32_t>(chance(500)));
    } else {
      note_done(copy);
      ack(port, copy.message);
    }
    if (word != 5) hand.erase(hand.begin() + static_cast<long>(index));  // else once more, later
  }
  void note_done(const Copy& copy) {
    Fate& fate = fates_[{copy.message.publication, copy.message.seq}];
    const bool is_last = copy.message.attempt == fate.attempt;
    const bool is_in_time = wish_.ack_ms == 0 || now_ - copy.at < lease_time / 2;
    if (is_last && is_in_time && !was_given_back(copy)) fate.is_acked = true;
  }
  // A copy that stayed in hand although it was given back is not leased any more.
  bool was_given_back(const Copy& copy) const { return copy.at < forgotten_; }

  void step() {
    const PortId port = any_member();
    switch (chance(16)) {
      case 0:
        return add_member();
      case 1:
        if (port == 0 || is_kind_) return;
        hands_.erase(port);
        if (chance(2) == 0) return die(port);
        switch_.unsubscribe(port, 1);
        return switch_.close_port(port, DropReason::shutdown);
      case 2:
        return pass(static_cast<base::Nanos>(chance(300)) * base::millisecond);
      case 3:
        if (chance(20) == 0 && wish_.ack_ms > 0 && !is_kind_) {
          // What was dealt is in hand: a lease begins when it is dealt.
          for (auto& [member, hand] : hands_) take_some(member);
          pass(lease_time + base::second);
          forgotten_ = now_;
        }
        return;
      case 4:
      case 5:
      case 6:
        return publish_some();
      default:
        if (port == 0) return;
        take_some(port);
        return speak(port);
    }
  }
  void run(const GroupWish& wish) {
    wish_ = wish;
    random_ = base::Random(seed_of_run());
    advertise(1, "t.a");
    advertise(2, "t.b");
    add_member();
    for (int index = 0; index < 6000; ++index) {
      step();
      if (HasFailure()) FAIL() << "at step " << index;
      if (index % 50 == 0) expect_balance();
    }
    settle_all();
  }
  // Everybody is kind now: what is not dead is acknowledged.
  void settle_all() {
    is_kind_ = true;
    add_member();
    for (int round = 0; round < 4000 && switch_.unsettled_messages() > 0; ++round) {
      for (int turn = 0; turn < 30; ++turn)
        for (auto& [port, hand] : hands_) {
          take_some(port);
          while (!hand.empty()) speak(port);
        }
      pass(100 * base::millisecond);
    }
    EXPECT_EQ(switch_.unsettled_messages(), 0u);
    expect_balance();
    const std::uint64_t published = next_seq_[1] + next_seq_[2];
    const std::uint64_t dead = of_group(SubscriptionCounter::dropped_dead);
    EXPECT_EQ(of_group(SubscriptionCounter::delivered) + dead, published);
    EXPECT_EQ(of_group(SubscriptionCounter::leased), 0u);
    std::uint64_t acked = 0;
    for (const auto& [name, fate] : fates_) acked += fate.is_acked ? 1 : 0;
    EXPECT_LE(acked + dead, published);
    EXPECT_GT(published, 1000u);
  }

  GroupWish wish_;
  base::Random random_{1};
  PortId last_port_ = 10;
  std::map<PortId, std::vector<Copy>> hands_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, Fate> fates_;
  base::Nanos forgotten_ = 0;
  bool is_kind_ = false;
};

GroupWish wish_of(GroupMode mode, std::uint32_t ack_ms) {
  GroupWish wish;
  wish.mode = mode;
  wish.ack_ms = ack_ms;
  wish.attempts_max = 5;
  wish.stall_ms = 3'600'000;
  wish.bound_messages = 400;
  return wish;
}

TEST_F(GroupRandom, LeastOutstandingWithLeases) {
  run(wish_of(GroupMode::least_outstanding, 30'000));
}
TEST_F(GroupRandom, RoundRobinWithLeases) {
  run(wish_of(GroupMode::round_robin, 30'000));
}
TEST_F(GroupRandom, StickyWithLeases) {
  run(wish_of(GroupMode::sticky, 30'000));
}
TEST_F(GroupRandom, LeastOutstandingWithoutLeases) {
  run(wish_of(GroupMode::least_outstanding, 0));
}
TEST_F(GroupRandom, StickyWithoutLeases) {
  run(wish_of(GroupMode::sticky, 0));
}

}  // namespace
}  // namespace abuzz::delivery::test
