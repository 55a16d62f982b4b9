#include "bus/mem/free_list.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

namespace abuzz::mem {
namespace {

struct PlainNode {
  std::atomic<std::uint32_t> next{node_none};
};

TEST(FreeList, GivesBackInReverseOrder) {
  NodeTable<PlainNode> nodes(8, 4);
  ASSERT_TRUE(nodes.add_chunk(0) && nodes.add_chunk(1));
  FreeList<PlainNode> list(nodes);
  EXPECT_EQ(list.pop(), node_none);
  for (std::uint32_t index = 0; index < 8; ++index) list.push(index);
  for (std::uint32_t index = 8; index-- > 0;) EXPECT_EQ(list.pop(), index);
  EXPECT_EQ(list.pop(), node_none);
}

TEST(FreeList, TakesAllInOneGoAndPutsAChainBack) {
  NodeTable<PlainNode> nodes(4, 4);
  ASSERT_TRUE(nodes.add_chunk(0));
  FreeList<PlainNode> list(nodes);
  EXPECT_EQ(list.take_all(), node_none);
  for (std::uint32_t index = 0; index < 3; ++index) list.push(index);
  EXPECT_EQ(list.take_all(), 2u);
  EXPECT_EQ(list.pop(), node_none);
  list.push(3);
  list.push_chain({2, 0, 3});  // still linked 2 -> 1 -> 0
  list.push_chain({});
  for (const std::uint32_t expected : {2u, 1u, 0u, 3u}) EXPECT_EQ(list.pop(), expected);
  EXPECT_EQ(list.pop(), node_none);
}

// A link that lets other threads run between reading it and using it: the moment in which a stack
// without a tag is broken by a node that went and came back (ABA).
class SlowLink {
 public:
  std::uint32_t load(std::memory_order order) const noexcept {
    const std::uint32_t index = link_.load(order);
    thread_local unsigned count = 0;
    if (++count % 8 == 0) std::this_thread::yield();
    return index;
  }
  void store(std::uint32_t index, std::memory_order order) noexcept { link_.store(index, order); }

 private:
  std::atomic<std::uint32_t> link_{node_none};
};

struct SlowNode {
  SlowLink next;
  std::atomic<bool> is_out{false};
  int visits = 0;  // plain: only who has popped the node touches it
};

TEST(FreeList, NoNodeIsInTwoHandsAlthoughNodesComeBackAtOnce) {
  constexpr std::uint32_t nodes_count = 4;
  constexpr int threads_count = 3;
  constexpr int steps = 30'000;
  NodeTable<SlowNode> nodes(nodes_count, nodes_count);
  ASSERT_TRUE(nodes.add_chunk(0));
  FreeList<SlowNode> list(nodes);
  for (std::uint32_t index = 0; index < nodes_count; ++index) list.push(index);
  std::atomic<int> doubles{0};
  auto take = [&](std::vector<std::uint32_t>& held, std::uint32_t index) {
    if (nodes.at(index).is_out.exchange(true, std::memory_order_relaxed)) doubles.fetch_add(1);
    ++nodes.at(index).visits;
    held.push_back(index);
  };
  auto churn = [&](int name) {
    std::vector<std::uint32_t> held;
    for (int step = 0; step < steps && doubles.load() == 0; ++step) {
      if (name == 0 && step % 16 == 0) {
        for (std::uint32_t index = list.take_all(); index != node_none;) {
          const std::uint32_t next = nodes.at(index).next.load(std::memory_order_relaxed);
          take(held, index);
          index = next;
        }
      }
      for (int count = 0; count < 2; ++count) {
        const std::uint32_t index = list.pop();
        if (index != node_none) take(held, index);
      }
      // In the order in which they came, which turns the stack over.
      for (const std::uint32_t index : held) {
        nodes.at(index).is_out.store(false, std::memory_order_relaxed);
        list.push(index);
      }
      held.clear();
    }
  };
  std::vector<std::thread> threads;
  for (int name = 0; name < threads_count; ++name) threads.emplace_back(churn, name);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(doubles.load(), 0);
  std::array<bool, nodes_count> was_seen{};
  for (std::uint32_t count = 0; count < nodes_count; ++count) {
    const std::uint32_t index = list.pop();
    ASSERT_NE(index, node_none) << "a node was lost";
    EXPECT_FALSE(was_seen.at(index));
    was_seen.at(index) = true;
  }
  EXPECT_EQ(list.pop(), node_none);
}

}  // namespace
}  // namespace abuzz::mem
