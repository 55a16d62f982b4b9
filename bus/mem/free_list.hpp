#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "bus/base/check.hpp"

namespace abuzz::mem {

inline constexpr std::uint32_t node_none = 0xff'ffff;

// Nodes by index, in equal chunks that come one by one and never go.
//
// Threads: at() from any thread that learned the index through something that synchronises with
// add_chunk (FreeList); add_chunk from one thread at a time. Cost: at() is two loads.
template <class Node>
class NodeTable {
 public:
  // Requires: chunk_count is a power of two.
  NodeTable(std::uint32_t count_max, std::uint32_t chunk_count)
      : chunk_count_(chunk_count), chunks_((count_max + chunk_count - 1) / chunk_count) {
    ABUZZ_CHECK((chunk_count & (chunk_count - 1)) == 0 && count_max < node_none);
    while ((1u << shift_) < chunk_count) ++shift_;
  }

  Node& at(std::uint32_t index) const noexcept {
    return chunks_[index >> shift_][index & (chunk_count_ - 1)];
  }
  // Makes the nodes of a chunk if they are not there yet. Returns false when memory ran out.
  bool add_chunk(std::size_t chunk) noexcept {
    if (!chunks_[chunk]) chunks_[chunk].reset(new (std::nothrow) Node[chunk_count_]);
    return chunks_[chunk] != nullptr;
  }
  std::uint32_t chunk_count() const noexcept { return chunk_count_; }

 private:
  // Constant after construction.
  std::uint32_t chunk_count_;
  std::uint32_t shift_ = 0;
  // Each entry is written once, before the first of its indexes is pushed anywhere.
  std::vector<std::unique_ptr<Node[]>> chunks_;
};

// Nodes that nobody else can reach, linked through `next`, the last one to node_none.
struct Chain {
  std::uint32_t first = node_none;
  std::uint32_t last = node_none;
  std::uint32_t count = 0;
};

// A lock-free stack of nodes (Treiber 1986). Node has `std::atomic<std::uint32_t> next`.
//
// Threads: any. Ownership: the nodes belong to the table, which outlives the list.
// Invariants: a node is in at most one list. The tag rises with every pop, so that a pop that read
// an old top and its next fails, also when the same node came back (ABA): 2^40 pops would have to
// pass between its load and its exchange.
// Cost: push and pop are one locked instruction each, repeated when another thread was faster. The
// owner keeps the list on a cache line of its own, with what is written at the same moments.
template <class Node>
class FreeList {
 public:
  explicit FreeList(const NodeTable<Node>& nodes) noexcept : nodes_(nodes) {}

  // Returns node_none when the list is empty.
  std::uint32_t pop() noexcept {
    // Pairs with push_chain: the chunk of the node, its next, and what its last holder did.
    std::uint64_t top = top_.load(std::memory_order_acquire);
    while (index_of(top) != node_none) {
      // Relaxed: written before the push that made it the top, or it is stale and the tag says so.
      const std::uint32_t next = nodes_.at(index_of(top)).next.load(std::memory_order_relaxed);
      // Release is not needed, nothing is published by taking. Acquire: pairs with push_chain.
      if (top_.compare_exchange_weak(top, after_pop(top, next), std::memory_order_acquire,
                                     std::memory_order_acquire)) {
        return index_of(top);
      }
    }
    return node_none;
  }

  void push(std::uint32_t index) noexcept { push_chain({index, index, 1}); }

  void push_chain(const Chain& chain) noexcept {
    if (chain.first == node_none) return;
    std::uint64_t top = top_.load(std::memory_order_relaxed);  // A guess, checked by the exchange.
    std::uint64_t pushed;
    do {
      nodes_.at(chain.last).next.store(index_of(top), std::memory_order_relaxed);
      pushed = (top & ~std::uint64_t{node_none}) | chain.first;
      // Pairs with pop and take_all: the nodes, and what their last holders did with the bytes.
    } while (!top_.compare_exchange_weak(top, pushed, std::memory_order_release,
                                         std::memory_order_relaxed));
  }

  // Empties the list. The nodes then belong to the caller, who follows `next` from the index
  // returned.
  std::uint32_t take_all() noexcept {
    std::uint64_t top = top_.load(std::memory_order_relaxed);  // A guess, checked by the exchange.
    // Acquire: pairs with push_chain.
    while (!top_.compare_exchange_weak(top, after_pop(top, node_none), std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
    }
    return index_of(top);
  }

 private:
  static constexpr unsigned tag_shift = 24;
  static_assert(node_none == (1u << tag_shift) - 1);

  static std::uint32_t index_of(std::uint64_t top) noexcept {
    return static_cast<std::uint32_t>(top & node_none);
  }
  static std::uint64_t after_pop(std::uint64_t top, std::uint32_t next) noexcept {
    return (((top >> tag_shift) + 1) << tag_shift) | next;
  }

  // Constant after construction.
  const NodeTable<Node>& nodes_;
  // Shared: {tag:40, index:24}, stored by exchanges only. Every exchange continues the release
  // sequences of the pushes before it, so an acquire of any value has all pushed nodes.
  std::atomic<std::uint64_t> top_{node_none};
};

}  // namespace abuzz::mem
