#include "bus/mem/size_pool.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "bus/base/check.hpp"

namespace abuzz::mem {

namespace {

// A slab is the step in which a class grows and shrinks: about this many bytes.
constexpr std::uint32_t slab_bytes_wanted = 256 * 1024;
constexpr std::uint32_t slab_blocks_max = 256;
// While a shrink looks through the free list, this many blocks are put back at once.
constexpr std::uint32_t hot_blocks = 64;

// A power of two that divides count_initial, so that the class starts with exactly that many.
std::uint32_t slab_blocks_for(const SizeClass& size_class) noexcept {
  std::uint32_t blocks =
      std::clamp(slab_bytes_wanted / size_class.block_bytes, 1u, slab_blocks_max);
  blocks = std::bit_floor(blocks);
  if (size_class.count_initial == 0) return blocks;
  return std::min(blocks, 1u << std::countr_zero(size_class.count_initial));
}

}  // namespace

SizePool::SizePool(std::uint32_t class_index, const SizeClass& size_class, Pool& pool,
                   Memory& memory, base::Nanos idle_span)
    : class_index_(class_index),
      size_class_(size_class),
      slab_blocks_(slab_blocks_for(size_class)),
      idle_span_(idle_span),
      pool_(pool),
      memory_(memory),
      slabs_((size_class.count_max + slab_blocks_ - 1) / slab_blocks_),
      nodes_(size_class.count_max, slab_blocks_),
      free_(nodes_) {
  ABUZZ_CHECK(size_class.count_initial <= size_class.count_max);
  const std::size_t slabs_initial = size_class.count_initial / slab_blocks_;
  for (std::size_t slab = 0; slab < slabs_initial; ++slab) {
    if (!try_add_slab(slab)) break;
  }
}

SizePool::~SizePool() {
  ABUZZ_CHECK(hits_.load(std::memory_order_relaxed) == returns_.load(std::memory_order_relaxed));
  for (std::size_t slab = 0; slab < slabs_.size(); ++slab) {
    if (slabs_[slab].memory != nullptr) give_back(slab);
  }
}

// HOT: any thread that acquires
Block* SizePool::try_pop() noexcept {
  const std::uint32_t index = free_.pop();
  if (index == node_none) return nullptr;
  ClassNode& node = nodes_.at(index);
  // Relaxed: the block is this thread's alone until its Buffer is handed over.
  ABUZZ_CHECK(node.handles.load(std::memory_order_relaxed) == 0);
  node.handles.store(1, std::memory_order_relaxed);
  node.was_used.store(true, std::memory_order_relaxed);
  hits_.fetch_add(1, std::memory_order_relaxed);
  return &node;
}

// HOT: any thread that releases
void SizePool::push(Block& block) noexcept {
  returns_.fetch_add(1, std::memory_order_relaxed);
  free_.push(block.index);
}

void SizePool::add_counters(PoolCounters& sums) const noexcept {
  // Returns first: a block that goes out and home in between then counts as out, never as less
  // than nothing.
  const std::uint64_t returns = returns_.load(std::memory_order_relaxed);
  const std::uint64_t hits = hits_.load(std::memory_order_relaxed);
  const std::uint64_t bytes = size_class_.block_bytes;
  sums.hits += hits;
  sums.bytes_out += hits > returns ? (hits - returns) * bytes : 0;
  sums.bytes_held += live_count_.load(std::memory_order_relaxed) * bytes;
  sums.grown_blocks += grown_.load(std::memory_order_relaxed);
  sums.shrunk_blocks += shrunk_.load(std::memory_order_relaxed);
}

std::size_t SizePool::maintain(base::Nanos now) noexcept {
  const std::size_t grown = grow();
  if (grown > 0 || now < next_scan_) return grown;
  next_scan_ = now + idle_span_ / 4;
  return shrink(now);
}

// The last slab is shorter where slabs do not divide the cap.
std::uint32_t SizePool::blocks_of(std::size_t slab) const noexcept {
  const auto first = static_cast<std::uint32_t>(slab) * slab_blocks_;
  return std::min(slab_blocks_, size_class_.count_max - first);
}

bool SizePool::try_add_slab(std::size_t slab) noexcept {
  if (!nodes_.add_chunk(slab)) return false;
  const std::uint32_t blocks = blocks_of(slab);
  std::byte* const memory = memory_.obtain(std::size_t{blocks} * size_class_.block_bytes);
  if (memory == nullptr) return false;

  slabs_[slab].memory = memory;
  Chain chain;
  const auto first = static_cast<std::uint32_t>(slab) * slab_blocks_;
  for (std::uint32_t offset = 0; offset < blocks; ++offset) {
    ClassNode& node = nodes_.at(first + offset);
    node.memory = memory + std::size_t{offset} * size_class_.block_bytes;
    node.capacity = size_class_.block_bytes;
    node.class_index = class_index_;
    node.index = first + offset;
    node.pool = &pool_;
    node.was_used.store(true, std::memory_order_relaxed);  // Its idle span starts at the next scan.
    append(chain, first + offset);
  }
  live_count_.store(live_count_.load(std::memory_order_relaxed) + blocks,
                    std::memory_order_relaxed);
  free_.push_chain(chain);
  return true;
}

// Requires: no block of the slab is in the free list or out.
void SizePool::give_back(std::size_t slab) noexcept {
  const std::uint32_t blocks = blocks_of(slab);
  memory_.give_back(slabs_[slab].memory, std::size_t{blocks} * size_class_.block_bytes);
  slabs_[slab] = Slab{};
  live_count_.store(live_count_.load(std::memory_order_relaxed) - blocks,
                    std::memory_order_relaxed);
}

// Doubles the class if it was short since the last call.
std::size_t SizePool::grow() noexcept {
  const std::uint64_t shortages = shortages_.load(std::memory_order_relaxed);
  if (shortages == shortages_seen_) return 0;
  shortages_seen_ = shortages;
  const std::uint32_t live = live_count_.load(std::memory_order_relaxed);
  const std::uint32_t wanted = std::max(live, 1u);
  std::uint32_t added = 0;
  std::size_t slabs_added = 0;
  for (std::size_t slab = 0; slab < slabs_.size() && added < wanted; ++slab) {
    if (slabs_[slab].memory != nullptr) continue;
    if (!try_add_slab(slab)) break;
    added += blocks_of(slab);
    ++slabs_added;
  }
  grown_.fetch_add(added, std::memory_order_relaxed);
  return slabs_added;
}

std::size_t SizePool::shrink(base::Nanos now) noexcept {
  const Look look = mark_idle(now);
  if (look.idle_slabs == 0 && look.used_blocks + slab_blocks_ > look.awake_blocks) return 0;
  collect();
  const std::size_t slabs_given = settle_idle();
  push_sorted();
  // The list was short for a moment by our own doing: that is no reason to grow.
  shortages_seen_ = shortages_.load(std::memory_order_relaxed);
  return slabs_given;
}

// How many blocks of the slab are out, or were since the last scan.
std::uint32_t SizePool::take_used(std::size_t slab) noexcept {
  const auto first = static_cast<std::uint32_t>(slab) * slab_blocks_;
  std::uint32_t used = 0;
  for (std::uint32_t offset = 0; offset < blocks_of(slab); ++offset) {
    ClassNode& node = nodes_.at(first + offset);
    // Relaxed: a hint about the past. That nobody holds a block is only known once it is ours.
    const bool is_out = node.handles.load(std::memory_order_relaxed) != 0;
    const bool was_used = node.was_used.load(std::memory_order_relaxed);
    if (was_used) node.was_used.store(false, std::memory_order_relaxed);
    if (is_out || was_used) ++used;
  }
  return used;
}

// Decides about the slabs that were idle for the span, the youngest first: down to count_initial
// they leave, and the others rest.
SizePool::Look SizePool::mark_idle(base::Nanos now) noexcept {
  std::uint32_t live = live_count_.load(std::memory_order_relaxed);
  Look look;
  for (std::size_t slab = slabs_.size(); slab-- > 0;) {
    Slab& candidate = slabs_[slab];
    if (candidate.memory == nullptr) continue;
    const std::uint32_t blocks = blocks_of(slab);
    if (const std::uint32_t used = take_used(slab); used > 0) {
      candidate.used_at = now;
      candidate.is_resting = false;
      look.used_blocks += used;
    }
    if (!candidate.is_resting) look.awake_blocks += blocks;
    if (now - candidate.used_at < idle_span_) continue;
    if (live >= size_class_.count_initial + blocks) {
      candidate.fate = Fate::leaves;
      live -= blocks;
      ++look.idle_slabs;
    } else if (!candidate.is_resting) {
      candidate.fate = Fate::rests;
      ++look.idle_slabs;
    }
  }
  return look;
}

void SizePool::append(Chain& chain, std::uint32_t index) noexcept {
  append(chain, Chain{index, index, 1});
}

void SizePool::append(Chain& chain, const Chain& tail) noexcept {
  if (tail.first == node_none) return;
  if (chain.first == node_none) {
    chain = tail;
    return;
  }
  // Relaxed: the push that follows publishes it.
  nodes_.at(chain.last).next.store(tail.first, std::memory_order_relaxed);
  chain.last = tail.last;
  chain.count += tail.count;
}

// Takes the whole free list and sorts it by slabs. The hottest blocks go back at once, for others
// who acquire meanwhile. For as long as it takes to find those the list is empty, and who acquires
// is served by the next class, or misses.
void SizePool::collect() noexcept {
  Chain hot;
  std::uint32_t index = free_.take_all();
  while (index != node_none) {
    const std::uint32_t next = nodes_.at(index).next.load(std::memory_order_relaxed);
    Slab& slab = slabs_[slab_of(index)];
    if (hot.count < hot_blocks && slab.fate == Fate::stays) {
      append(hot, index);
      if (hot.count == hot_blocks) free_.push_chain(hot);
    } else {
      append(slab.collected, index);
    }
    index = next;
  }
  if (hot.count < hot_blocks) free_.push_chain(hot);
}

// Gives back the leaving slabs that are complete, and the pages of the resting ones.
std::size_t SizePool::settle_idle() noexcept {
  std::size_t slabs_given = 0;
  for (std::size_t slab = 0; slab < slabs_.size(); ++slab) {
    Slab& idle = slabs_[slab];
    const Fate fate = std::exchange(idle.fate, Fate::stays);
    const std::uint32_t blocks = blocks_of(slab);
    if (fate == Fate::stays || idle.collected.count != blocks) continue;
    if (fate == Fate::rests) {
      memory_.rest(idle.memory, std::size_t{blocks} * size_class_.block_bytes);
      idle.is_resting = true;
      continue;
    }
    give_back(slab);
    shrunk_.fetch_add(blocks, std::memory_order_relaxed);
    ++slabs_given;
  }
  return slabs_given;
}

// Puts everything that is free back, blocks of the eldest slabs on top and those of resting slabs
// at the bottom: so what is in use gathers in few slabs, and the others come to rest.
void SizePool::push_sorted() noexcept {
  std::uint32_t index = free_.take_all();
  while (index != node_none) {
    const std::uint32_t next = nodes_.at(index).next.load(std::memory_order_relaxed);
    append(slabs_[slab_of(index)].collected, index);
    index = next;
  }
  Chain awake;
  Chain resting;
  for (Slab& slab : slabs_) {
    append(slab.is_resting ? resting : awake, std::exchange(slab.collected, Chain{}));
  }
  append(awake, resting);
  free_.push_chain(awake);
}

}  // namespace abuzz::mem
