#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/mem/buffer.hpp"

namespace abuzz::mem {

// Where a pool's slabs come from and go to. Called in the constructor and in maintain() only.
class Memory {
 public:
  virtual ~Memory() = default;
  // Page-aligned, or nullptr. Untouched pages must cost nothing.
  virtual std::byte* obtain(std::size_t bytes) noexcept = 0;
  virtual void give_back(std::byte* memory, std::size_t bytes) noexcept = 0;
  // The bytes are no longer needed, the address space is: the pages become untouched ones. `memory`
  // and `bytes` are what obtain was asked for and gave.
  virtual void rest(std::byte* memory, std::size_t bytes) noexcept = 0;
};

// Anonymous private mappings.
class ProcessMemory final : public Memory {
 public:
  std::byte* obtain(std::size_t bytes) noexcept override;
  void give_back(std::byte* memory, std::size_t bytes) noexcept override;
  void rest(std::byte* memory, std::size_t bytes) noexcept override;
};

struct SizeClass {
  std::uint32_t block_bytes = 0;
  std::uint32_t count_initial = 0;  // blocks at start, and the floor of shrinking
  std::uint32_t count_max = 0;      // cap
};

struct PoolCounters {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;  // try_acquire found nothing: the caller is back-pressured
  std::uint64_t grown_blocks = 0;
  std::uint64_t shrunk_blocks = 0;
  std::uint64_t bytes_held = 0;  // slab bytes obtained and not given back, resting ones included
  std::uint64_t bytes_out = 0;   // bytes of blocks that are out of the pool
};

// Called once, by the thread that drops the last handle on adopted memory. `context` and `cookie`
// are what adopt was given.
using AdoptedRelease = void (*)(void* context, std::byte* memory, std::size_t bytes,
                                void* cookie) noexcept;

// Blocks by size class, handed out as Buffers.
//
// Threads: try_acquire, try_adopt and releases from any thread; maintain from one thread at a time.
// Ownership: outlives every Buffer; the destructor checks that all of them came home.
// Invariants: a block is in exactly one free list or out; counts never pass count_max.
// Cost: try_acquire pops one lock-free list (Treiber 1986, index and tag in one word against ABA):
// no allocation, no system call. A class that is empty is a miss, which is counted; maintain()
// then grows it by doubling up to the cap. Slabs that stayed wholly unused for `idle_span` it gives
// back; of the last count_initial blocks only the pages, so that a burst after a pause misses
// nothing. Blocks of the eldest slabs are handed out first after each look, so that the others come
// to rest. Block heads are never given back, so that a pop that was overtaken reads an old head and
// not freed memory.
class Pool {
 public:
  static constexpr std::uint32_t adopted_class = 0xffff'ffff;

  // Requires: classes ascending by block_bytes, at most 16, each count_max below 2^24 - 1.
  // `memory` outlives the pool.
  // `adopted_max` heads are kept for try_adopt. Where `memory` gives nothing the class starts
  // smaller, and maintain() tries again once it misses.
  Pool(std::span<const SizeClass> classes, Memory& memory, std::uint32_t adopted_max = 4096,
       base::Nanos idle_span = 2 * base::second);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // A buffer of exactly `bytes` in a block of the smallest class that holds it and has one free
  // (a larger class may serve, one step up). Empty on a miss.
  Buffer try_acquire(std::size_t bytes) noexcept;
  // The same for who can wait, as a publisher can: also a miss while no more than a quarter of what
  // the class may grow to is left. So what is waiting to be sent never starves what is received,
  // whose handling may be what the sender waits for.
  Buffer try_acquire_spare(std::size_t bytes) noexcept;
  // Wraps memory that belongs to somebody else (a received ZeroMQ message). Empty on a miss: then
  // the caller copies or waits.
  Buffer try_adopt(std::byte* memory, std::size_t bytes, AdoptedRelease release, void* context,
                   void* cookie) noexcept;

  // Grows classes that missed, gives back or rests slabs that idled. Not on the message route.
  // Returns the number of slabs that came or went.
  std::size_t maintain(base::Nanos now) noexcept;

  PoolCounters counters() const noexcept;
  std::size_t block_bytes_max() const noexcept;
  // Cap of the class that serves `bytes`; 0 where none does.
  std::uint32_t count_max_for(std::size_t bytes) const noexcept;

 private:
  friend class Buffer;
  void release(Block* block) noexcept;

  template <class Pop>
  Buffer acquire(std::size_t bytes, Pop&& pop) noexcept;

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace abuzz::mem
