#include <gtest/gtest.h>

#include "tests/node/loop_node.hpp"

// A node of several shards: where links are placed, and how they move.

namespace abuzz::node::test {
namespace {

using Kind = Heard::Kind;

Config shards(std::uint32_t count) {
  Config config;
  config.place.shards = count;
  return config;
}

class Shards : public ::testing::Test {
 protected:
  struct Visitor {
    std::unique_ptr<link::DoorCall> door;
    wire::DoorWelcome welcome;
    std::unique_ptr<link::Link> link;
  };
  Visitor arrive(const std::string& name) {
    Visitor visitor;
    visitor.door = node_.greet(hello_of(name));
    node_.step(32);
    const Heard heard = LoopNode::hear(*visitor.door);
    EXPECT_EQ(heard.kind, Kind::welcome);
    visitor.welcome = heard.welcome;
    visitor.link = node_.attach(heard.welcome);
    node_.step(32);
    return visitor;
  }
  std::uint64_t row(const std::string& name, AgentCounter counter) {
    for (const RowSnapshot& row : node_.core().stats().snapshot().rows)
      if (row.kind == RowKind::agent && row.text == name) return row.get(counter);
    ADD_FAILURE() << "no agent " << name;
    return 0;
  }
  // What the node says at the door.
  Heard hear(Visitor& visitor) {
    node_.step(32);
    return LoopNode::hear(*visitor.door);
  }

  LoopNode node_{shards(3), true};
};

TEST_F(Shards, get_agents_in_turns) {
  std::vector<Visitor> visitors;
  for (const char* name : {"a", "b", "c", "d"}) visitors.push_back(arrive(name));
  EXPECT_EQ(row("a", AgentCounter::shard), 0u);
  EXPECT_EQ(row("b", AgentCounter::shard), 1u);
  EXPECT_EQ(row("c", AgentCounter::shard), 2u);
  EXPECT_EQ(row("d", AgentCounter::shard), 0u);
  EXPECT_NE(visitors[0].welcome.endpoint, visitors[1].welcome.endpoint);
  EXPECT_EQ(visitors[0].welcome.endpoint, visitors[3].welcome.endpoint);
}

TEST_F(Shards, get_an_agent_back_that_was_there_a_moment_ago) {
  Visitor first = arrive("a");
  Visitor second = arrive("b");
  const std::string endpoint = second.welcome.endpoint;
  second = {};
  node_.step(32);
  EXPECT_EQ(arrive("b").welcome.endpoint, endpoint);
}

TEST_F(Shards, an_agent_moves_when_its_next_link_is_up) {
  Visitor visitor = arrive("a");
  ASSERT_TRUE(node_.reception().move("a", 2, "to see it move"));
  const Heard heard = hear(visitor);
  ASSERT_EQ(heard.kind, Kind::welcome);
  EXPECT_NE(heard.welcome.endpoint, visitor.welcome.endpoint);
  EXPECT_EQ(heard.welcome.agent_id, visitor.welcome.agent_id);
  EXPECT_EQ(heard.welcome.session_epoch, visitor.welcome.session_epoch);
  EXPECT_EQ(heard.welcome.token, visitor.welcome.token);
  EXPECT_EQ(row("a", AgentCounter::shard), 0u) << "it is not hurried";
  EXPECT_FALSE(node_.reception().move("a", 1, "once more")) << "it moves already";

  auto next = node_.attach(heard.welcome);
  node_.step(32);
  EXPECT_EQ(row("a", AgentCounter::shard), 2u);
  EXPECT_EQ(row("a", AgentCounter::moves), 1u);
  EXPECT_EQ(node_.agent_state("a"), PeerState::ready);
  EXPECT_EQ(node_.count(ProcessCounter::moves), 1u);
  EXPECT_EQ(node_.count(ProcessCounter::links_broken), 0u);
  EXPECT_EQ(node_.count(ProcessCounter::sessions_closed), 0u);
  link::Frame frame;
  EXPECT_EQ(visitor.link->try_receive(frame), link::ReceiveStatus::empty);
  EXPECT_FALSE(LoopNode::is_hung_up(*visitor.door));
}

TEST_F(Shards, a_move_is_told_with_its_reason) {
  Visitor visitor = arrive("a");
  ASSERT_TRUE(node_.reception().move("a", 1, "to see it told"));
  const Heard heard = hear(visitor);
  auto next = node_.attach(heard.welcome);
  node_.step(32);
  std::size_t found = 0;
  for (const RowSnapshot& row : node_.core().stats().snapshot().rows) {
    if (row.kind != RowKind::move) continue;
    ++found;
    EXPECT_EQ(row.text, "a");
    EXPECT_EQ(row.text2, "to see it told");
    EXPECT_EQ(row.get(MoveCounter::from), 0u);
    EXPECT_EQ(row.get(MoveCounter::to), 1u);
  }
  EXPECT_EQ(found, 1u);
}

TEST_F(Shards, nobody_moves_who_is_not_there_or_is_there_already) {
  Visitor visitor = arrive("a");
  EXPECT_FALSE(node_.reception().move("nobody", 1, "why"));
  EXPECT_FALSE(node_.reception().move("a", 0, "why"));
  EXPECT_FALSE(node_.reception().move("a", 3, "why"));
}

TEST_F(Shards, who_leaves_while_it_moves_is_gone_from_both) {
  Visitor visitor = arrive("a");
  ASSERT_TRUE(node_.reception().move("a", 1, "why"));
  ASSERT_EQ(hear(visitor).kind, Kind::welcome);
  visitor.door.reset();
  node_.step(64);
  EXPECT_EQ(node_.agent_rows(), 0u);
  EXPECT_EQ(node_.count(ProcessCounter::agents_now), 0u);
  EXPECT_EQ(node_.count(ProcessCounter::moves), 0u);
}

}  // namespace
}  // namespace abuzz::node::test
