#include <gtest/gtest.h>

#include "bus/topic.hpp"
#include "tests/delivery/switch_fixture.hpp"

// What the node publishes itself: to whoever wants it, held by nobody, and in the ledger.

namespace abuzz::delivery::test {
namespace {

constexpr PortId own_port = 99;

class SwitchPresence : public SwitchTest {
 protected:
  SwitchPresence() { switch_.open_own_port(own_port); }

  void announce(std::string topic, std::string payload = "{}") {
    switch_.announce(std::move(topic), std::move(payload), now_, 0);
  }
  std::uint16_t subscribe_answer(const std::string& pattern) {
    wire::Subscribe item;
    item.subscription = 7;
    item.pattern = pattern;
    item.bound_messages = item.window_messages = 10;
    item.bound_bytes = item.window_bytes = 4 * base::mib;
    return switch_.subscribe(subscriber_port, item, now_).error;
  }
  std::size_t rows(RowKind kind) const {
    std::size_t count = 0;
    for (const RowSnapshot& row : stats_->snapshot().rows) count += row.kind == kind ? 1 : 0;
    return count;
  }
  std::uint64_t count(ProcessCounter counter) { return stats_->process().get(counter); }
};

TEST_F(SwitchPresence, an_event_reaches_who_asked_for_it_with_the_identity_of_the_node) {
  subscribe({.pattern = "$agents.*.gone"});
  announce("$agents.alice.ready");
  announce("$agents.alice.gone", R"({"name":"alice"})");
  Switch::Outgoing next;
  ASSERT_TRUE(switch_.peek(subscriber_port, next));
  wire::BatchHead head;
  ASSERT_EQ(wire::BatchHead::parse(next.routed->slice.span(), head), wire::Reject::none);
  EXPECT_EQ(head.topic, "$agents.alice.gone");
  EXPECT_EQ(head.envelope.origin, node_id);
  EXPECT_EQ(head.envelope.agent_id, own_port);
  EXPECT_EQ(head.envelope.first_seq, 1u);
  wire::BatchView view;
  ASSERT_EQ(wire::verify(next.routed->slice.share(), pool_, {}, view), wire::Reject::none);
  const auto payload = view.payload(0);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(payload.data()), payload.size()),
            R"({"name":"alice"})");
  EXPECT_EQ(send().size(), 1u);
  settle();
  expect_balance();
  EXPECT_EQ(count(ProcessCounter::events), 2u);
  EXPECT_EQ(count(ProcessCounter::events_unheard), 1u);
  EXPECT_EQ(count(ProcessCounter::events_lost), 0u);
}

TEST_F(SwitchPresence, events_come_in_the_order_in_which_they_happened) {
  subscribe({.pattern = "$agents.>"});
  announce("$agents.a.ready");
  announce("$agents.a.stalled");
  announce("$agents.a.ready");
  const std::vector<Got> got = send();
  const std::vector<Got> wanted{{1, 1}, {2, 1}, {1, 2}};
  EXPECT_EQ(got, wanted);
}

TEST_F(SwitchPresence, without_a_listener_an_event_leaves_no_row) {
  subscribe({.pattern = ">"});
  subscribe({.handle = 2, .pattern = "*.*.*"});
  announce("$agents.alice.ready");
  EXPECT_EQ(rows(RowKind::publication), 0u);
  EXPECT_TRUE(send().empty()) << "a leading wildcard matches no reserved topic";
  EXPECT_FALSE(switch_.has_listeners());
  switch_.skip_announcement();
  EXPECT_EQ(count(ProcessCounter::events), 2u);
  EXPECT_EQ(count(ProcessCounter::events_unheard), 2u);
}

TEST_F(SwitchPresence, who_is_full_misses_events_and_nobody_is_held) {
  subscribe({.pattern = "$agents.>", .bound_messages = 3});
  subscribe({.handle = 2, .pattern = "$agents.*.ready"});
  for (int index = 0; index < 10; ++index) announce("$agents.alice.ready");
  expect_balance();
  EXPECT_EQ(subscription_row(0).get(SubscriptionCounter::policy),
            static_cast<std::uint64_t>(Policy::drop_new));
  EXPECT_EQ(subscription_row(0).get(SubscriptionCounter::dropped_queue_full), 7u);
  EXPECT_EQ(subscription_row(1).get(SubscriptionCounter::dropped_queue_full), 0u);
  EXPECT_EQ(send().size(), 13u);
  settle();
  settle(2);
  expect_balance();
  announce("$agents.alice.ready");
  EXPECT_EQ(send().size(), 2u);
  // It is never ended for standing still, either.
  now_ += 20 * base::second;
  switch_.do_timers(now_);
  EXPECT_EQ(rows(RowKind::subscription), 2u);
}

TEST_F(SwitchPresence, a_topic_that_is_retired_goes_when_its_last_event_is_settled) {
  subscribe({.pattern = "$agents.>"});
  announce("$agents.alice.ready");
  announce("$agents.alice.gone");
  switch_.retire("$agents.alice.ready");
  switch_.retire("$agents.alice.gone");
  switch_.retire("$agents.alice.busy");
  EXPECT_EQ(rows(RowKind::publication), 2u);
  EXPECT_EQ(send().size(), 2u);
  settle();
  EXPECT_EQ(rows(RowKind::publication), 0u);
  EXPECT_EQ(rows(RowKind::pair), 0u);
  const RowSnapshot ended = row_of(RowKind::topic, 0);
  EXPECT_EQ(ended.text, "$agents.>") << "one sum for all of them";
  EXPECT_EQ(ended.get(TopicCounter::delivered), 2u);
  // The next of that name is a stream of its own, from 1.
  announce("$agents.alice.ready");
  EXPECT_EQ(send(), (std::vector<Got>{{1, 1}}));
}

TEST_F(SwitchPresence, an_event_without_a_buffer_waits_and_what_follows_stands_behind_it) {
  subscribe({.pattern = "$agents.>"});
  std::vector<mem::Buffer> taken;
  while (mem::Buffer buffer = pool_.try_acquire(500)) taken.push_back(std::move(buffer));
  announce("$agents.alice.ready");
  announce("$agents.alice.gone");
  switch_.retire("$agents.alice.ready");
  switch_.retire("$agents.alice.gone");
  EXPECT_TRUE(send().empty());
  taken.clear();
  now_ += base::second;
  switch_.do_timers(now_);
  EXPECT_EQ(send(), (std::vector<Got>{{1, 1}, {2, 1}}));
  settle();
  EXPECT_EQ(rows(RowKind::publication), 0u);
  EXPECT_EQ(count(ProcessCounter::events_lost), 0u);
}

TEST_F(SwitchPresence, events_are_told_while_the_node_drains) {
  subscribe({.pattern = "$agents.>"});
  switch_.start_draining();
  announce("$agents.alice.gone");
  EXPECT_EQ(send().size(), 1u);
}

TEST_F(SwitchPresence, an_agent_may_listen_to_events_and_to_no_other_reserved_topic) {
  EXPECT_EQ(subscribe_answer("$agents.alice.*"), 0);
  switch_.unsubscribe(subscriber_port, 7);
  for (const char* pattern : {"$agent.>", "$agentsx.>", "$death.>", "$x"})
    EXPECT_EQ(subscribe_answer(pattern), number(Error::reserved_topic)) << pattern;
}

TEST_F(SwitchPresence, no_agent_publishes_events) {
  wire::Advertise item;
  item.publication = item.publisher_id = item.publisher_epoch = 1;
  item.topic = "$agents.alice.gone";
  EXPECT_EQ(switch_.advertise(publisher_port, item), number(Error::reserved_topic));
}

TEST_F(SwitchPresence, the_load_of_an_agent_is_what_it_has_not_handled_but_events) {
  advertise(1, "t.a");
  subscribe({});
  subscribe({.handle = 2, .pattern = "$agents.>"});
  announce("$agents.alice.ready");
  EXPECT_EQ(switch_.load_of(subscriber_port).unsettled, 0u);
  ASSERT_EQ(publish(1, {0, 0, 0}), Verdict::taken);
  const Switch::Load before = switch_.load_of(subscriber_port);
  EXPECT_EQ(before.unsettled, 3u);
  EXPECT_EQ(send().size(), 4u);
  EXPECT_EQ(switch_.load_of(subscriber_port).unsettled, 3u);
  settle();
  EXPECT_EQ(switch_.load_of(subscriber_port).unsettled, 0u);
  EXPECT_NE(switch_.load_of(subscriber_port).settled, before.settled);
  EXPECT_EQ(switch_.load_of(publisher_port).unsettled, 0u);
  EXPECT_EQ(switch_.load_of(12345).unsettled, 0u);
}

}  // namespace
}  // namespace abuzz::delivery::test
