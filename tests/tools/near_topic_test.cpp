#include "tools/near_topic.hpp"

#include <gtest/gtest.h>

namespace abuzz::tools {
namespace {

TEST(NearMiss, ATokenMoreOrLess) {
  EXPECT_EQ(near_miss("orders.*.new", "orders.new"), "one token more");
  EXPECT_EQ(near_miss("orders.eu.new", "orders.new"), "one token more");
  EXPECT_EQ(near_miss("orders.new.>", "orders.new"), "one token more");
  EXPECT_EQ(near_miss("orders.>", "orders"), "one token more");
  EXPECT_EQ(near_miss("orders.eu.new.>", "orders.new.x"), "one token more");
  EXPECT_EQ(near_miss("orders.new", "orders.eu.new"), "one token less");
  EXPECT_EQ(near_miss("orders.*", "orders.eu.new"), "one token less");
  EXPECT_EQ(near_miss("a", "b"), "`a` is not `b`");
}

TEST(NearMiss, ATokenThatIsSpeltNearly) {
  EXPECT_EQ(near_miss("ordres.*", "orders.new"), "`ordres` is not `orders`");
  EXPECT_EQ(near_miss("Orders.new", "orders.new"), "`Orders` is not `orders`");
  EXPECT_EQ(near_miss("order.>", "orders.new.eu"), "`order` is not `orders`");
}

TEST(NearMiss, WhatIsFarIsNone) {
  EXPECT_EQ(near_miss("invoices.*", "orders.new"), "");
  EXPECT_EQ(near_miss("ordres.nwe", "orders.new"), "");
  EXPECT_EQ(near_miss("logs.>", "orders.new.eu"), "");
  EXPECT_EQ(near_miss("orders.*.*.new", "orders.new"), "");
  EXPECT_EQ(near_miss("*", "orders.new"), "");
  EXPECT_EQ(near_miss("deep.zed.>", "deep.qqq"), "");
  EXPECT_EQ(near_miss("*.>", "orders"), "");
}

}  // namespace
}  // namespace abuzz::tools
