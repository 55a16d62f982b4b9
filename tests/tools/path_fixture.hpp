#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/tools/counter_rows.hpp"
#include "tools/path.hpp"

// Two readings of a bus with one publisher and one subscriber, made by hand.

namespace abuzz::tools {

inline constexpr std::uint64_t shop = 7, billing = 8;
inline constexpr std::uint32_t node_pid = 11, shop_pid = 4242, billing_pid = 4243;
enum Row : std::size_t { process, shop_row, billing_row, stream_row, inbox_row, pair_row };

// Shop published 10 messages on orders.new, and billing handled them.
class PathTest : public ::testing::Test {
 protected:
  PathTest() {
    StatsSnapshot& node = later_.node;
    node.pid = node_pid;
    add_row(node, RowKind::process, {}, "");
    add_row(node, RowKind::agent, {shop, shop_pid, 1, 1}, "shop");
    add_row(node, RowKind::agent, {billing, billing_pid, 1, 1}, "billing");
    add_row(node, RowKind::publication, {shop, 1, 1, 1}, "orders.new", "shop");
    set(row(stream_row), PublicationCounter::accepted, 10);
    set(row(stream_row), PublicationCounter::routed, 10);
    add_row(node, RowKind::subscription, {billing, 1}, "orders.*", "", "billing");
    set(row(inbox_row), SubscriptionCounter::done_no, 10);
    add_row(node, RowKind::pair, {stream_row, inbox_row}, "orders.new");
    set(row(pair_row), PairCounter::matched, 10);
    set(row(pair_row), PairCounter::delivered, 10);
    StatsSnapshot publisher;
    add_row(publisher, RowKind::process, {}, "");
    add_row(publisher, RowKind::publication, {shop, 1, 1, 1}, "orders.new");
    set(publisher.rows[1], PublicationCounter::pushed, 10);
    set(publisher.rows[1], PublicationCounter::last_seq, 10);
    later_.agents.push_back({"shop-4242", publisher});
  }
  RowSnapshot& row(std::size_t index) { return later_.node.rows[index]; }
  void remove_rows_from(std::size_t index) { later_.node.rows.resize(index); }
  // Messages wait, and nothing moves.
  void let_wait(std::uint64_t count) {
    set(row(pair_row), PairCounter::queued, count);
    set(row(inbox_row), SubscriptionCounter::queued_batches, 1);
  }
  void let_publisher_wait() {
    set(later_.agents[0].stats.rows[1], PublicationCounter::pushed, 30);
    set(row(stream_row), PublicationCounter::holder, inbox_row);
  }
  // Of shop nothing is there but what it published.
  void let_shop_leave() {
    row(stream_row).ids[3] = 0;
    row(shop_row).kind = RowKind::free;
    later_.agents.clear();
  }
  // What is lost from here on is lost now.
  void keep_earlier() { earlier_ = later_; }
  Answer explain(const std::string& from = {}, const std::string& to = {}) {
    const auto look = [this](std::uint32_t pid, std::uint64_t) {
      return ProcessLook{pid != gone_, pid == stopped_};
    };
    return explain_path({topic_, from, to}, earlier_.value_or(later_), later_, look, elsewhere_);
  }
  Path first(const std::string& from = {}, const std::string& to = {}) {
    return explain(from, to).paths.front();
  }

  std::string topic_ = "orders.new";
  Counters later_;
  std::optional<Counters> earlier_;  // if it differs
  std::vector<Elsewhere> elsewhere_;
  std::uint32_t gone_ = 0, stopped_ = 0;
};

}  // namespace abuzz::tools
