#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bus/base/cache_line.hpp"
#include "bus/base/units.hpp"
#include "bus/mem/free_list.hpp"
#include "bus/mem/pool.hpp"

namespace abuzz::mem {

// A block's head as its class sees it. One line each, so that handles do not share lines.
struct alignas(base::cache_line_bytes) ClassNode : Block {
  // Shared, see FreeList.
  std::atomic<std::uint32_t> next{node_none};
  // Raised when the block is handed out, lowered by the scan of maintain(). Relaxed on both sides:
  // it only tells idle slabs from busy ones, and a slab counts as busy when it comes.
  std::atomic<bool> was_used{true};
};

// The blocks of one size class of a Pool.
//
// Threads: try_pop and push from any thread; maintain from one at a time.
// Ownership: slabs belong to it, from `memory` until they are given back. The heads of a slab are
// made when it comes first, and stay when it goes.
// Invariants: a block is in the free list, out, or (for the time of one shrink) with maintain().
// A slab is given back, or its pages are, only while maintain() holds all its blocks, so nobody can
// hold its bytes.
// Cost: try_pop and push are two locked instructions on one cache line.
class SizePool {
 public:
  SizePool(std::uint32_t class_index, const SizeClass& size_class, Pool& pool, Memory& memory,
           base::Nanos idle_span);
  ~SizePool();
  SizePool(const SizePool&) = delete;
  SizePool& operator=(const SizePool&) = delete;

  std::uint32_t block_bytes() const noexcept { return size_class_.block_bytes; }
  std::uint32_t count_max() const noexcept { return size_class_.count_max; }

  // More than a quarter of count_max() is not out. About: others take and return meanwhile.
  bool has_spare() const noexcept {
    const std::uint64_t returns = returns_.load(std::memory_order_relaxed);
    const std::uint64_t hits = hits_.load(std::memory_order_relaxed);
    return hits <= returns || (hits - returns) * 4 < std::uint64_t{count_max()} * 3;
  }
  // A block with one handle, or nullptr.
  Block* try_pop() noexcept;
  // Notes that a try_pop of the class that fits best found nothing: maintain() will grow it.
  void note_shortage() noexcept { shortages_.fetch_add(1, std::memory_order_relaxed); }
  // Requires: the block is of this class and has no handle.
  void push(Block& block) noexcept;

  std::size_t maintain(base::Nanos now) noexcept;
  // Adds to the sums. From any thread; the terms are not read at one moment.
  void add_counters(PoolCounters& sums) const noexcept;

 private:
  enum class Fate : std::uint8_t {
    stays,   // in use, or not idle for long enough
    rests,   // its pages go
    leaves,  // its memory goes
  };
  struct Slab {
    std::byte* memory = nullptr;  // null: not obtained, or given back
    base::Nanos used_at = 0;      // the last scan that found it used
    bool is_resting = false;      // its pages went, and no block was used since
    Fate fate = Fate::stays;      // what this scan found
    Chain collected;              // its blocks that were free
  };
  // What a scan found. Where fewer slabs would do for what is in use, the free list gets sorted.
  struct Look {
    std::size_t idle_slabs = 0;      // to rest, or to leave
    std::uint32_t used_blocks = 0;   // out, or used since the last scan
    std::uint32_t awake_blocks = 0;  // of slabs that do not rest
  };

  std::uint32_t blocks_of(std::size_t slab) const noexcept;
  std::size_t slab_of(std::uint32_t index) const noexcept { return index / slab_blocks_; }
  bool try_add_slab(std::size_t slab) noexcept;
  void give_back(std::size_t slab) noexcept;
  std::size_t grow() noexcept;
  std::size_t shrink(base::Nanos now) noexcept;
  std::uint32_t take_used(std::size_t slab) noexcept;
  Look mark_idle(base::Nanos now) noexcept;
  void append(Chain& chain, std::uint32_t index) noexcept;
  void append(Chain& chain, const Chain& tail) noexcept;
  void collect() noexcept;
  std::size_t settle_idle() noexcept;
  void push_sorted() noexcept;

  // Constant after construction.
  const std::uint32_t class_index_;
  const SizeClass size_class_;
  const std::uint32_t slab_blocks_;  // a power of two
  const base::Nanos idle_span_;
  Pool& pool_;
  Memory& memory_;

  // The thread inside maintain() only.
  std::vector<Slab> slabs_;
  std::uint64_t shortages_seen_ = 0;
  base::Nanos next_scan_ = 0;

  NodeTable<ClassNode> nodes_;

  // Shared: any thread that acquires or releases. One line, taken once by each.
  alignas(base::writer_distance_bytes) FreeList<ClassNode> free_;
  // Counts, so relaxed: they publish nothing.
  std::atomic<std::uint64_t> hits_{0};
  std::atomic<std::uint64_t> returns_{0};
  std::atomic<std::uint64_t> shortages_{0};

  // Written by maintain() only, read by add_counters(). Relaxed, as above.
  alignas(base::writer_distance_bytes) std::atomic<std::uint32_t> live_count_{0};
  std::atomic<std::uint64_t> grown_{0};
  std::atomic<std::uint64_t> shrunk_{0};
};

}  // namespace abuzz::mem
