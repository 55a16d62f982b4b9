#include <gtest/gtest.h>

#include <algorithm>

#include "bus/base/random.hpp"
#include "tests/delivery/switch_fixture.hpp"

namespace abuzz::delivery::test {
namespace {

constexpr auto then_live = wire::Retained::then_live;
constexpr auto last_value = wire::Retained::last_value;

class SwitchRetained : public SwitchTest {
 protected:
  std::vector<std::uint64_t> retained() { return sequences(true); }
  std::vector<std::uint64_t> live() { return sequences(false); }
  void take() { got_ = send(); }
  RowSnapshot sum() const {
    for (const RowSnapshot& row : stats_->snapshot().rows)
      if (row.kind == RowKind::retained && row.text.empty()) return row;
    return {};
  }
  // What was given: the pair whose publisher is the node.
  RowSnapshot given() const {
    for (const RowSnapshot& row : stats_->snapshot().rows)
      if (row.kind == RowKind::pair && row.ids[0] == 0) return row;
    return {};
  }

 private:
  std::vector<std::uint64_t> sequences(bool is_retained) {
    std::vector<std::uint64_t> all;
    for (const Got& one : got_)
      if (one.is_retained == is_retained) all.push_back(one.seq);
    return all;
  }
  std::vector<Got> got_;
};

using Sequences = std::vector<std::uint64_t>;

TEST_F(SwitchRetained, who_comes_later_gets_the_last_messages_and_then_what_follows) {
  advertise(1, "t.a", 2);
  EXPECT_EQ(publish(1, {0, 0, 0}), Verdict::taken);
  subscribe({.retained = then_live});
  EXPECT_EQ(publish(1, {0}), Verdict::taken);
  take();
  EXPECT_EQ(retained(), (Sequences{2, 3}));
  EXPECT_EQ(live(), (Sequences{4}));
  settle();
  expect_balance();
  EXPECT_EQ(given().get(PairCounter::matched), 2u);
  EXPECT_EQ(given().get(PairCounter::delivered), 2u);
}

TEST_F(SwitchRetained, who_wants_nothing_retained_gets_nothing_of_it) {
  advertise(1, "t.a", 2);
  EXPECT_EQ(publish(1, {0}), Verdict::taken);
  subscribe({});
  EXPECT_EQ(publish(1, {0}), Verdict::taken);
  take();
  EXPECT_EQ(retained(), Sequences{});
  EXPECT_EQ(live(), Sequences{2});
}

TEST_F(SwitchRetained, each_key_has_its_last_value) {
  advertise(1, "t.a", 1);
  EXPECT_EQ(publish(1, {7, 8, 7, 9}), Verdict::taken);
  EXPECT_EQ(publish(1, {8}), Verdict::taken);
  subscribe({.retained = then_live});
  take();
  EXPECT_EQ(retained(), (Sequences{3, 4, 5}));
  settle();
  expect_balance();
}

TEST_F(SwitchRetained, values_stay_when_their_publisher_has_gone) {
  advertise(1, "t.a", 1);
  EXPECT_EQ(publish(1, {0}), Verdict::taken);
  switch_.close_port(publisher_port, DropReason::peer_gone);
  EXPECT_TRUE(switch_.has_retained());
  subscribe({.retained = then_live});
  take();
  EXPECT_EQ(retained(), Sequences{1});
  settle();
  expect_balance();
}

TEST_F(SwitchRetained, all_publishers_of_a_retained_topic_are_retained) {
  advertise(1, "t.a");
  EXPECT_EQ(publish(1, {0}), Verdict::taken);  // before the first wish
  advertise(2, "t.a", 1);
  EXPECT_EQ(publish(1, {0}), Verdict::taken);
  subscribe({.retained = then_live});
  take();
  EXPECT_EQ(retained(), Sequences{2});
}

TEST_F(SwitchRetained, a_message_in_chunks_is_kept_whole) {
  advertise(1, "t.a", 1);
  publish_train(1, 5, 5);
  subscribe({.retained = then_live});
  Switch::Outgoing next;
  std::uint32_t pieces = 0, messages = 0;
  while (switch_.peek(subscriber_port, next)) {
    EXPECT_TRUE(next.routed->is_retained);
    ++pieces;
    messages += next.count;
    switch_.mark_sent(subscriber_port);
  }
  EXPECT_EQ(pieces, 5u);
  EXPECT_EQ(messages, 1u);
}

TEST_F(SwitchRetained, who_comes_in_the_middle_of_a_train_gets_it_at_its_end) {
  advertise(1, "t.a", 1);
  publish_train(1, 3, 2);
  subscribe({.retained = then_live});
  take();
  EXPECT_EQ(retained(), Sequences{});
  ASSERT_EQ(publish(1, {0}, 1024, 0, {2, 3, 3 * 1024}), Verdict::taken);
  EXPECT_EQ(publish(1, {0}), Verdict::taken);
  take();
  EXPECT_EQ(retained(), Sequences{1});
  EXPECT_EQ(live(), Sequences{2});
  settle();
  expect_balance();
}

TEST_F(SwitchRetained, what_has_expired_is_not_given) {
  advertise(1, "t.a", 2);
  EXPECT_EQ(publish(1, {0}, 16, 50), Verdict::taken);
  EXPECT_EQ(publish(1, {0}), Verdict::taken);
  now_ += 60 * base::millisecond;
  subscribe({.retained = then_live});
  take();
  EXPECT_EQ(retained(), Sequences{2});
  switch_.do_timers(now_);
  EXPECT_EQ(sum().get(RetainedCounter::expired), 1u);
}

TEST_F(SwitchRetained, time_to_live_goes_on_while_it_is_kept) {
  advertise(1, "t.a", 1);
  EXPECT_EQ(publish(1, {0}, 16, 100), Verdict::taken);
  now_ += 60 * base::millisecond;
  subscribe({.retained = then_live});
  take();
  EXPECT_EQ(last_ttl_ms_, 40u);
}

TEST_F(SwitchRetained, a_full_queue_drops_the_oldest_of_what_is_given_and_counts_it) {
  advertise(1, "t.a", 100);
  for (int index = 0; index < 10; ++index) EXPECT_EQ(publish(1, {0}), Verdict::taken);
  subscribe({.policy = Policy::drop_new, .bound_messages = 3, .retained = then_live});
  take();
  EXPECT_EQ(retained(), (Sequences{8, 9, 10}));
  settle();
  EXPECT_EQ(given().get(PairCounter::dropped_queue_full), 7u);
  expect_balance();
}

TEST_F(SwitchRetained, of_policy_latest_the_newest_of_each_key_is_given) {
  advertise(1, "t.a", 3);
  EXPECT_EQ(publish(1, {7, 7, 8, 7}), Verdict::taken);
  subscribe({.policy = Policy::latest, .latest = 1, .retained = then_live});
  EXPECT_EQ(publish(1, {8}), Verdict::taken);
  take();
  EXPECT_EQ(retained(), Sequences{4});
  EXPECT_EQ(live(), Sequences{5});
  settle();
  expect_balance();
}

TEST_F(SwitchRetained, a_lossless_subscription_is_given_more_than_its_bound) {
  advertise(1, "t.a", 100);
  for (int index = 0; index < 20; ++index) EXPECT_EQ(publish(1, {0}), Verdict::taken);
  subscribe({.bound_messages = 5, .window_messages = 4, .retained = then_live});
  std::size_t count = 0;
  for (int round = 0; round < 20; ++round) {
    take();
    count += retained().size();
    settle();
  }
  EXPECT_EQ(count, 20u);
  EXPECT_EQ(publish(1, {0}), Verdict::taken);
  expect_balance();
}

TEST_F(SwitchRetained, what_was_in_flight_is_sent_again_after_a_lost_link) {
  advertise(1, "t.a", 3);
  EXPECT_EQ(publish(1, {0, 0, 0}), Verdict::taken);
  subscribe({.retained = then_live});
  take();
  EXPECT_EQ(retained().size(), 3u);
  switch_.suspend_port(subscriber_port, now_);
  switch_.open_port(subscriber_port);
  wire::Subscribe item;
  item.subscription = 1;
  item.pattern = "t.*";
  item.resumes = true;
  EXPECT_EQ(switch_.subscribe(subscriber_port, item, now_).error, 0);
  take();
  EXPECT_EQ(retained(), (Sequences{1, 2, 3}));
}

TEST_F(SwitchRetained, a_subscriber_that_dies_leaves_what_it_was_given_unknown) {
  advertise(1, "t.a", 3);
  EXPECT_EQ(publish(1, {0, 0, 0}), Verdict::taken);
  subscribe({.retained = then_live});
  take();
  switch_.close_port(subscriber_port, DropReason::peer_gone);
  std::uint64_t unknown = 0;
  for (const RowSnapshot& row : stats_->snapshot().rows)
    if (row.kind == RowKind::topic && row.text == "$retained")
      unknown = row.get(TopicCounter::unknown_peer_gone);
  EXPECT_EQ(unknown, 3u);
}

TEST_F(SwitchRetained, the_last_value_is_given_alone) {
  advertise(1, "t.a", 2);
  EXPECT_EQ(publish(1, {7, 8}), Verdict::taken);
  subscribe({.handle = 1, .pattern = "t.a", .policy = Policy::drop_new, .retained = last_value});
  EXPECT_EQ(publish(1, {9}), Verdict::taken);
  take();
  EXPECT_EQ(retained(), Sequences{2});
  EXPECT_EQ(live(), Sequences{});
  settle();
  switch_.unsubscribe(subscriber_port, 1);
  forget_numbers(1);
  subscribe({.handle = 1, .pattern = "t.a", .retained = last_value, .key = 7});
  take();
  EXPECT_EQ(retained(), Sequences{1});
  EXPECT_EQ(sum().get(RetainedCounter::hits), 2u);
}

TEST_F(SwitchRetained, without_a_value_it_is_refused_and_counted) {
  advertise(1, "t.a", 1);
  EXPECT_EQ(publish(1, {7}), Verdict::taken);
  const auto nothing = number(Error::nothing_retained);
  EXPECT_EQ(try_subscribe({.pattern = "t.b", .retained = last_value}), nothing);
  EXPECT_EQ(try_subscribe({.pattern = "t.a", .retained = last_value, .key = 8}), nothing);
  EXPECT_EQ(try_subscribe({.pattern = "t.*", .retained = last_value}), number(Error::bad_topic));
  EXPECT_EQ(sum().get(RetainedCounter::misses), 2u);
  EXPECT_EQ(switch_.subscription_count(), 0u);
}

TEST_F(SwitchRetained, what_comes_back_from_an_earlier_node_is_kept_and_given) {
  next_seq_[1] = 10;
  wire::Advertise item;
  item.publication = item.publisher_id = item.publisher_epoch = 1;
  item.topic = topics_[1] = "t.a";
  item.base_seq = 10;
  item.retain = 2;
  ASSERT_EQ(switch_.advertise(publisher_port, item), 0);
  switch_.finish_cycle(now_);
  subscribe({.handle = 1, .retained = then_live});
  EXPECT_EQ(publish(1, {0}, 16, 0, {}, 9), Verdict::taken);
  EXPECT_EQ(publish(1, {0}, 16, 0, {}, 10), Verdict::taken);
  EXPECT_EQ(publish(1, {0}, 16, 0, {}, 10), Verdict::taken);  // again, on another link
  EXPECT_EQ(publish(1, {0}, 16, 0, {}, 11), Verdict::gap);
  EXPECT_EQ(publish(1, {0}), Verdict::taken);
  take();
  EXPECT_EQ(retained(), (Sequences{9, 10}));
  EXPECT_EQ(live(), Sequences{11});
  subscribe({.handle = 2, .retained = then_live});
  take();
  EXPECT_EQ(retained(), (Sequences{10, 11}));
}

TEST_F(SwitchRetained, a_wish_beyond_the_limit_is_refused) {
  wire::Advertise item;
  item.publication = item.publisher_id = item.publisher_epoch = 1;
  item.topic = "t.a";
  item.retain = RetainedStore::messages_max + 1;
  EXPECT_EQ(switch_.advertise(publisher_port, item), number(Error::bad_bound));
}

// A plain reference beside a switch: whoever joins has the last n of each key, then all that comes.
TEST_F(SwitchRetained, late_joiners_at_random_moments_miss_nothing_and_get_nothing_twice) {
  base::Random random(seed_of_run());
  advertise(1, "t.a", 2);
  std::map<std::uint64_t, std::deque<std::uint64_t>> last;
  for (int round = 0; round < 300; ++round) {
    const auto publish_some = [&](std::uint64_t count) {
      Sequences all;
      for (std::uint64_t index = 0; index < count; ++index) {
        std::vector<std::uint64_t> keys(1 + random.below(4));
        for (std::uint64_t& key : keys) {
          key = random.below(4);
          all.push_back(next_seq_[1] + 1 + static_cast<std::uint64_t>(&key - keys.data()));
          last[key].push_back(all.back());
          if (last[key].size() > 2) last[key].pop_front();
        }
        EXPECT_EQ(publish(1, keys), Verdict::taken);
      }
      return all;
    };
    (void)publish_some(random.below(4));
    Sequences expected;
    for (const auto& [key, kept] : last) expected.insert(expected.end(), kept.begin(), kept.end());
    std::sort(expected.begin(), expected.end());
    subscribe({.handle = 1, .retained = then_live});
    const Sequences follows = publish_some(random.below(4));
    take();
    ASSERT_EQ(retained(), expected) << round;
    ASSERT_EQ(live(), follows) << round;
    settle();
    expect_balance();
    switch_.unsubscribe(subscriber_port, 1);
    forget_numbers(1);
  }
}

}  // namespace
}  // namespace abuzz::delivery::test
