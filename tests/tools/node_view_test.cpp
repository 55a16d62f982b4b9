#include "tools/node_view.hpp"

#include <gtest/gtest.h>

#include "tests/tools/counter_rows.hpp"

namespace abuzz::tools {
namespace {

// Two publishers of orders.new, one of them alone on orders.old; one subscriber of orders.*.
StatsSnapshot make_stats() {
  StatsSnapshot stats;
  add_row(stats, RowKind::process, {}, "");
  RowSnapshot& shop =
      add_row(stats, RowKind::agent, {7, 4242, 1, 1}, "shop", "web", "Takes orders");
  set(shop, AgentCounter::state, static_cast<std::uint64_t>(PeerState::ready));
  set(shop, AgentCounter::messages_in, 30);
  set(shop, AgentCounter::responsive, 1);
  set(shop, AgentCounter::unsettled, 12);
  add_row(stats, RowKind::agent, {8, 4243, 1, 1}, "billing", "");
  RowSnapshot& first = add_row(stats, RowKind::publication, {7, 1, 1, 1}, "orders.new", "shop");
  set(first, PublicationCounter::accepted, 10);
  set(first, PublicationCounter::delivered, 9);
  set(first, PublicationCounter::match_count, 1);
  RowSnapshot& second = add_row(stats, RowKind::publication, {8, 1, 1, 1}, "orders.new", "billing");
  set(second, PublicationCounter::accepted, 5);
  set(second, PublicationCounter::no_subscriber, 5);
  add_row(stats, RowKind::publication, {7, 2, 1, 2}, "orders.old", "shop");
  RowSnapshot& subscription =
      add_row(stats, RowKind::subscription, {8, 1}, "orders.*", "", "billing");
  set(subscription, SubscriptionCounter::policy, 1);
  set(subscription, SubscriptionCounter::queued_messages, 3);
  set(subscription, SubscriptionCounter::dropped_queue_full, 4);
  RowSnapshot& pair = add_row(stats, RowKind::pair, {3, 6}, "");
  set(pair, PairCounter::dropped_queue_full, 4);
  set(pair, PairCounter::unknown_peer_gone, 1);
  set(pair, PairCounter::queued, 1);
  set(pair, PairCounter::in_flight, 2);
  return stats;
}

TEST(NodeView, MergesThePublishersOfATopic) {
  const StatsSnapshot stats = make_stats();
  const NodeView view = view_node(stats);
  ASSERT_EQ(view.topics.size(), 2u);
  const TopicView& topic = view.topics.front();
  EXPECT_EQ(topic.topic, "orders.new");
  EXPECT_EQ(topic.publishers, 2u);
  EXPECT_EQ(topic.subscriptions, 1u);
  EXPECT_EQ(topic.messages, 15u);
  EXPECT_EQ(topic.delivered, 9u);
  EXPECT_EQ(topic.no_subscriber, 5u);
  EXPECT_EQ(topic.queued, 3u);
  EXPECT_EQ(describe(topic.dropped), "4 queue full");
  EXPECT_EQ(describe(topic.unknown), "1 peer gone");
  EXPECT_EQ(describe(view.topics.back().dropped), "0");
}

TEST(NodeView, APublisherThatLeftIsNotCounted) {
  StatsSnapshot stats = make_stats();
  stats.rows[4].ids[3] = 0;
  const NodeView view = view_node(stats);
  EXPECT_EQ(view.topics.front().publishers, 1u);
  EXPECT_EQ(view.topics.front().messages, 15u);
}

TEST(NodeView, CountsWhatBelongsToAnAgent) {
  const StatsSnapshot stats = make_stats();
  const NodeView view = view_node(stats);
  ASSERT_EQ(view.agents.size(), 2u);
  const AgentView& billing = view.agents.front();
  EXPECT_EQ(billing.name, "billing");
  EXPECT_EQ(billing.subscriptions, 1u);
  EXPECT_EQ(billing.publications, 1u);
  EXPECT_EQ(billing.queued, 3u);
  const AgentView& shop = view.agents.back();
  EXPECT_EQ(shop.pid, 4242u);
  EXPECT_EQ(shop.kind, "web");
  EXPECT_EQ(shop.description, "Takes orders");
  EXPECT_TRUE(shop.is_responsive);
  EXPECT_FALSE(shop.is_progressing);
  EXPECT_EQ(shop.unsettled, 12u);
  EXPECT_EQ(shop.state, PeerState::ready);
  EXPECT_EQ(shop.in, 30u);
  EXPECT_EQ(shop.publications, 2u);
}

TEST(NodeView, NamesTheAgentAndPolicyOfASubscription) {
  const StatsSnapshot stats = make_stats();
  const NodeView view = view_node(stats);
  ASSERT_EQ(view.subscriptions.size(), 1u);
  EXPECT_EQ(view.subscriptions.front().agent, "billing");
  EXPECT_EQ(view.subscriptions.front().policy, "drop_new");
  EXPECT_EQ(describe(view.subscriptions.front().dropped), "4 queue full");
}

TEST(NodeView, LeavesOutPairsOfPublishersThatAreGone) {
  StatsSnapshot stats = make_stats();
  RowSnapshot& orphan = add_row(stats, RowKind::pair, {99, 6}, "");
  set(orphan, PairCounter::dropped_shutdown, 1);
  EXPECT_EQ(total(view_node(stats).topics.front().dropped), 4u);
}

}  // namespace
}  // namespace abuzz::tools
