#include "tests/delivery/switch_fixture.hpp"

namespace abuzz::delivery::test {
namespace {

using wire::Lane;

// Three publications, one for each lane: their handles are the numbers of the lanes.
class LanesTest : public SwitchTest {
 protected:
  static constexpr std::uint32_t high = 1, normal = 2, bulk = 3;

  void advertise_lanes() {
    for (const std::uint32_t handle : {high, normal, bulk}) {
      lanes_[handle] = static_cast<Lane>(handle);
      advertise(handle, "t.lane" + std::to_string(handle));
    }
  }
  static std::vector<std::uint64_t> messages(std::size_t count) {
    return std::vector<std::uint64_t>(count, 0);
  }
  std::vector<std::uint32_t> sent(std::size_t records_max = 10'000) {
    std::vector<std::uint32_t> lanes;
    for (const Got& got : send(records_max)) lanes.push_back(got.publication);
    return lanes;
  }
  wire::Settle settle_of(Lane lane, std::uint64_t received, std::uint64_t done) {
    wire::Settle item;
    item.subscription = 1;
    item.lane = lane;
    item.received_no = received;
    item.done_no = done;
    return item;
  }
};

using Lanes = std::vector<std::uint32_t>;

TEST_F(LanesTest, a_higher_lane_goes_first_though_it_came_later) {
  advertise_lanes();
  subscribe({});
  publish(bulk, messages(1));
  publish(normal, messages(1));
  publish(bulk, messages(1));
  publish(high, messages(1));
  EXPECT_EQ(sent(), (Lanes{high, normal, bulk, bulk}));
  settle();
  expect_balance();
}

TEST_F(LanesTest, a_stream_keeps_its_order_whatever_passes_it) {
  advertise_lanes();
  subscribe({});
  for (int round = 0; round < 3; ++round) {
    publish(bulk, messages(2));
    publish(high, messages(1));
  }
  std::vector<std::uint64_t> seen(4, 0);
  for (const Got& got : send()) EXPECT_EQ(got.seq, ++seen[got.publication]);
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{0, 3, 0, 6}));
  settle();
  expect_balance();
}

TEST_F(LanesTest, each_lane_has_delivery_numbers_of_its_own) {
  advertise_lanes();
  subscribe({});
  publish(bulk, messages(4));
  publish(high, messages(3));
  Switch::Outgoing next;
  for (const std::uint32_t messages : {3u, 4u}) {
    ASSERT_TRUE(switch_.peek(subscriber_port, next));
    EXPECT_EQ(next.first_delivery, 1u);
    EXPECT_EQ(next.count, messages);
    switch_.mark_sent(subscriber_port);
  }
  // What was handled of one lane says nothing of another.
  ASSERT_TRUE(switch_.settle(subscriber_port, settle_of(Lane::bulk, 1, 4), now_));
  EXPECT_EQ(publication_row(2).get(PublicationCounter::delivered), 4u);
  EXPECT_EQ(publication_row(0).get(PublicationCounter::delivered), 0u);
  ASSERT_TRUE(switch_.settle(subscriber_port, settle_of(Lane::high, 1, 3), now_));
  EXPECT_EQ(publication_row(0).get(PublicationCounter::delivered), 3u);
  EXPECT_EQ(subscription_row().get(SubscriptionCounter::done_no), 7u);
  expect_balance();
}

TEST_F(LanesTest, numbers_of_a_lane_beyond_what_was_sent_on_it_are_refused) {
  advertise_lanes();
  subscribe({});
  publish(bulk, messages(4));
  EXPECT_EQ(sent().size(), 4u);
  EXPECT_FALSE(switch_.settle(subscriber_port, settle_of(Lane::high, 1, 0), now_));
  EXPECT_FALSE(switch_.settle(subscriber_port, settle_of(Lane::normal, 0, 1), now_));
  EXPECT_FALSE(switch_.settle(subscriber_port, settle_of(Lane::bulk, 1, 5), now_));
  wire::Verdict verdict{.subscription = 1, .lane = Lane::high, .first_delivery = 1, .count = 1};
  EXPECT_FALSE(switch_.refuse(subscriber_port, verdict));
  verdict.lane = Lane::bulk;
  EXPECT_TRUE(switch_.refuse(subscriber_port, verdict));
}

TEST_F(LanesTest, a_publication_that_changes_its_lane_is_refused) {
  advertise_lanes();
  subscribe({});
  publish(normal, messages(1));
  lanes_[normal] = Lane::high;
  EXPECT_EQ(publish(normal, messages(1)), Verdict::identity);
}

TEST_F(LanesTest, after_a_lost_link_each_lane_goes_on_where_it_was) {
  advertise_lanes();
  subscribe({});
  publish(bulk, messages(1));
  publish(bulk, messages(1));
  publish(high, messages(1));
  EXPECT_EQ(sent(), (Lanes{high, bulk, bulk}));
  switch_.suspend_port(subscriber_port, now_);
  switch_.open_port(subscriber_port);
  wire::Subscribe item;
  item.subscription = 1;
  item.pattern = "t.*";
  item.resumes = true;
  item.resume_received = {0, 0, 3};
  EXPECT_NE(switch_.subscribe(subscriber_port, item, now_).error, 0);
  item.resume_received = {0, 0, 1};  // of the bulk messages the first arrived
  EXPECT_EQ(switch_.subscribe(subscriber_port, item, now_).error, 0);
  Switch::Outgoing next;
  ASSERT_TRUE(switch_.peek(subscriber_port, next));
  EXPECT_EQ(next.routed->lane, Lane::high);
  EXPECT_EQ(next.first_delivery, 1u);
  switch_.mark_sent(subscriber_port);
  ASSERT_TRUE(switch_.peek(subscriber_port, next));
  EXPECT_EQ(next.routed->lane, Lane::bulk);
  EXPECT_EQ(next.first_delivery, 2u);
  switch_.mark_sent(subscriber_port);
  EXPECT_FALSE(switch_.peek(subscriber_port, next));
  expect_balance();
}

TEST_F(LanesTest, a_train_of_bulk_lets_a_high_message_pass_between_its_chunks) {
  advertise_lanes();
  subscribe({});
  publish_train(bulk, 3, 3);
  Switch::Outgoing next;
  ASSERT_TRUE(switch_.peek(subscriber_port, next));
  EXPECT_EQ(next.routed->lane, Lane::bulk);
  switch_.mark_sent(subscriber_port);
  publish(high, messages(1));
  ASSERT_TRUE(switch_.peek(subscriber_port, next));
  EXPECT_EQ(next.routed->lane, Lane::high);
  switch_.mark_sent(subscriber_port);
  ASSERT_TRUE(switch_.peek(subscriber_port, next));
  EXPECT_EQ(next.routed->lane, Lane::bulk);
}

TEST_F(LanesTest, drop_old_never_drops_what_is_of_a_higher_lane) {
  advertise_lanes();
  subscribe({.policy = Policy::drop_old, .bound_messages = 4});
  publish(high, messages(2));
  publish(bulk, messages(2));
  publish(normal, messages(1));  // a bulk message makes room
  publish(high, messages(1));    // and the other one
  publish(bulk, messages(1));    // no room among its own
  EXPECT_EQ(sent(), (Lanes{high, high, high, normal}));
  settle();
  EXPECT_EQ(subscription_row().get(SubscriptionCounter::dropped_queue_full), 3u);
  expect_balance();
}

TEST_F(LanesTest, the_latest_of_a_key_is_the_latest_whatever_its_lane) {
  lanes_[1] = Lane::high;
  lanes_[2] = Lane::bulk;
  advertise(1, "t.a");
  advertise(2, "t.a");
  subscribe({.policy = Policy::latest, .latest = 1});
  publish(1, {7});
  publish(2, {7});
  publish(2, {8});
  EXPECT_EQ(sent(), (Lanes{2, 2}));
  publish(2, {7});
  publish(1, {7});
  EXPECT_EQ(sent(), (Lanes{1}));
  settle();
  expect_balance();
}

TEST_F(LanesTest, what_an_ended_subscription_handled_of_each_lane_is_delivered) {
  advertise_lanes();
  subscribe({});
  publish(high, messages(2));
  publish(bulk, messages(5));
  EXPECT_EQ(sent().size(), 7u);
  ASSERT_TRUE(switch_.settle(subscriber_port, settle_of(Lane::high, 1, 1), now_));
  ASSERT_TRUE(switch_.settle(subscriber_port, settle_of(Lane::bulk, 1, 3), now_));
  switch_.unsubscribe(subscriber_port, 1);
  EXPECT_EQ(publication_row(0).get(PublicationCounter::delivered), 1u);
  EXPECT_EQ(publication_row(2).get(PublicationCounter::delivered), 3u);
}

}  // namespace
}  // namespace abuzz::delivery::test
