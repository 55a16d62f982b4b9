#include "tools/row_owner.hpp"

#include <gtest/gtest.h>

#include "tests/tools/counter_rows.hpp"

namespace abuzz::tools {
namespace {

TEST(RowOwner, IsTheAgentWhoeverIsStillThere) {
  StatsSnapshot node;
  EXPECT_EQ(owner_title(add_row(node, RowKind::publication, {7, 1, 1, 1}, "a", "shop")),
            "agent shop");
  EXPECT_EQ(owner_title(add_row(node, RowKind::subscription, {7, 1}, "a", "", "shop")),
            "agent shop");
  EXPECT_EQ(owner_of(add_row(node, RowKind::subscription, {7, 1}, "a", "team", "shop")), "shop");
}

TEST(RowOwner, IsAGroupOrTheNode) {
  StatsSnapshot node;
  EXPECT_EQ(owner_title(add_row(node, RowKind::subscription, {1, 1}, "a", "team")), "group team");
  EXPECT_EQ(owner_title(add_row(node, RowKind::subscription, {1, 2}, "$request.a", "$responders")),
            "the responders");
  EXPECT_EQ(owner_title(add_row(node, RowKind::publication, {1, 1, 1, 1}, "$agents.a.gone")),
            "the node");
}

TEST(RowOwner, HasLeftWhoseHandleIsGone) {
  StatsSnapshot node;
  EXPECT_FALSE(has_left(add_row(node, RowKind::publication, {7, 1, 1, 1}, "a", "shop")));
  EXPECT_TRUE(has_left(add_row(node, RowKind::publication, {7, 1, 1, 0}, "a", "shop")));
}

}  // namespace
}  // namespace abuzz::tools
