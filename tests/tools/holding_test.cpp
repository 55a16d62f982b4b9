#include "tools/holding.hpp"

#include <gtest/gtest.h>

#include "tests/tools/counter_rows.hpp"

namespace abuzz::tools {
namespace {

enum Row : std::size_t { process, shop_row, stream_row, inbox_row };

// The node says that shop waits for billing; shop has `staged` messages.
Counters make_counters(std::uint64_t staged) {
  Counters counters;
  add_row(counters.node, RowKind::process, {}, "");
  add_row(counters.node, RowKind::agent, {7, 4242, 1, 1}, "shop");
  RowSnapshot& stream =
      add_row(counters.node, RowKind::publication, {7, 1, 1, 1}, "orders.new", "shop");
  set(stream, PublicationCounter::holder, inbox_row);
  add_row(counters.node, RowKind::subscription, {8, 1}, "orders.*", "", "billing");
  StatsSnapshot own;
  add_row(own, RowKind::process, {}, "");
  RowSnapshot& published = add_row(own, RowKind::publication, {0, 1, 1, 1}, "orders.new");
  set(published, PublicationCounter::last_seq, 10);
  set(published, PublicationCounter::pushed, 10 + staged);
  counters.agents.push_back({"shop-4242", own});
  return counters;
}

TEST(Holding, NamesWhoHoldsWhom) {
  const std::vector<Hold> holds = find_holds(make_counters(12));
  ASSERT_EQ(holds.size(), 1u);
  EXPECT_EQ(describe(holds.front()),
            "publisher shop is held by agent billing (orders.*): 12 messages wait with it");
}

TEST(Holding, NobodyWaitsWhoHasNothing) {
  EXPECT_TRUE(find_holds(make_counters(0)).empty());
  Counters counters = make_counters(12);
  counters.agents.clear();
  EXPECT_TRUE(find_holds(counters).empty());
}

TEST(Holding, AGroupHoldsAsOne) {
  Counters counters = make_counters(1);
  counters.node.rows[inbox_row].text2 = "team";
  counters.node.rows[inbox_row].text3 = "";
  EXPECT_EQ(find_holds(counters).at(0).holder, "group team");
}

TEST(Holding, ARowThatIsNoSubscriptionAnyMoreHoldsNobody) {
  Counters counters = make_counters(12);
  EXPECT_TRUE(may_hold(counters.node));
  counters.node.rows[inbox_row].kind = RowKind::pair;
  EXPECT_TRUE(find_holds(counters).empty());
  set(counters.node.rows[stream_row], PublicationCounter::holder, 0);
  EXPECT_FALSE(may_hold(counters.node));
}

}  // namespace
}  // namespace abuzz::tools
