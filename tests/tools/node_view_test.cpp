#include "tools/node_view.hpp"

#include <gtest/gtest.h>

#include <initializer_list>

namespace abuzz::tools {
namespace {

RowSnapshot& add_row(StatsSnapshot& stats, RowKind kind, std::initializer_list<std::uint64_t> ids,
                     std::string text, std::string text2 = {}) {
  RowSnapshot row;
  row.index = static_cast<std::uint32_t>(stats.rows.size());
  row.kind = kind;
  row.text = std::move(text);
  row.text2 = std::move(text2);
  std::size_t i = 0;
  for (const std::uint64_t id : ids) row.ids[i++] = id;
  stats.rows.push_back(std::move(row));
  return stats.rows.back();
}

template <class Id>
void set(RowSnapshot& row, Id id, std::uint64_t value) {
  row.counters[static_cast<std::size_t>(id)] = value;
}

// Two publishers of orders.new, one of them alone on orders.old; one subscriber of orders.*.
StatsSnapshot make_stats() {
  StatsSnapshot stats;
  add_row(stats, RowKind::process, {}, "");
  RowSnapshot& shop = add_row(stats, RowKind::agent, {7, 4242, 1, 1}, "shop", "web");
  set(shop, AgentCounter::state, static_cast<std::uint64_t>(PeerState::ready));
  set(shop, AgentCounter::messages_in, 30);
  add_row(stats, RowKind::agent, {8, 4243, 1, 1}, "billing", "");
  RowSnapshot& first = add_row(stats, RowKind::publication, {7, 1, 1, 1}, "orders.new");
  set(first, PublicationCounter::accepted, 10);
  set(first, PublicationCounter::delivered, 9);
  set(first, PublicationCounter::match_count, 1);
  RowSnapshot& second = add_row(stats, RowKind::publication, {8, 1, 1, 1}, "orders.new");
  set(second, PublicationCounter::accepted, 5);
  set(second, PublicationCounter::no_subscriber, 5);
  add_row(stats, RowKind::publication, {7, 2, 1, 2}, "orders.old");
  RowSnapshot& subscription = add_row(stats, RowKind::subscription, {8, 1}, "orders.*");
  set(subscription, SubscriptionCounter::policy, 1);
  set(subscription, SubscriptionCounter::queued_messages, 3);
  set(subscription, SubscriptionCounter::dropped_queue_full, 4);
  RowSnapshot& pair = add_row(stats, RowKind::pair, {3, 6}, "");
  set(pair, PairCounter::dropped_queue_full, 4);
  set(pair, PairCounter::unknown_peer_gone, 1);
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
  EXPECT_EQ(describe(topic.dropped), "4 queue full, 1 unknown (peer gone)");
  EXPECT_EQ(total(topic.dropped), 5u);
  EXPECT_EQ(describe(view.topics.back().dropped), "0");
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
  EXPECT_EQ(total(view_node(stats).topics.front().dropped), 5u);
}

}  // namespace
}  // namespace abuzz::tools
