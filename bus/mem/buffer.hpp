#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "bus/base/check.hpp"

namespace abuzz::mem {

class Pool;

// The head of a pooled block, kept apart from its bytes. Nobody but Buffer and Pool touches it.
struct Block {
  std::byte* memory = nullptr;    // constant while the block is out of the pool
  std::uint32_t capacity = 0;     // bytes
  std::uint32_t class_index = 0;  // size class; Pool::adopted_class for memory that is not ours
  std::uint32_t index = 0;        // within its class
  // Handles on this block. Raised by share (relaxed: the sharer holds one), lowered by release
  // (acq_rel: the last one sees all that the others wrote). 0 in the pool: a double release is
  // caught when it would pass below zero.
  std::atomic<std::uint32_t> handles{0};
  Pool* pool = nullptr;
};

// A handle on some bytes of a pooled block. Move-only; the block returns to its pool when the last
// handle goes. share() makes another handle on the same bytes, slice() on some of them.
//
// Threads: a handle belongs to one thread; handles on one block may live in several. Who wrote the
// bytes must hand the handle over through something that synchronises (Intake, Combiner).
// Ownership: the pool must outlive every handle.
// Invariants: an empty handle has no bytes. Bytes are written only while the writer holds the only
// handle, or a region that no other handle covers.
// Cost: share and release are one locked instruction; release of the last handle is a few more.
class Buffer {
 public:
  Buffer() noexcept = default;
  Buffer(Buffer&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        offset_(std::exchange(other.offset_, 0)),
        bytes_(std::exchange(other.bytes_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      reset();
      block_ = std::exchange(other.block_, nullptr);
      offset_ = std::exchange(other.offset_, 0);
      bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { reset(); }

  explicit operator bool() const noexcept { return block_ != nullptr; }
  std::byte* data() const noexcept { return block_ ? block_->memory + offset_ : nullptr; }
  std::size_t bytes() const noexcept { return bytes_; }
  std::span<std::byte> span() const noexcept { return {data(), bytes_}; }
  // Bytes of the whole block: what keeping this handle keeps alive.
  std::size_t block_bytes() const noexcept { return block_ ? block_->capacity : 0; }

  Buffer share() const noexcept { return slice(0, bytes_); }
  // Requires: offset + bytes <= this->bytes().
  Buffer slice(std::size_t offset, std::size_t bytes) const noexcept {
    ABUZZ_CHECK(offset <= bytes_ && bytes <= bytes_ - offset);
    if (block_ == nullptr) return {};
    // Relaxed: this handle keeps the block alive meanwhile, and publishes nothing by being copied.
    const std::uint32_t before = block_->handles.fetch_add(1, std::memory_order_relaxed);
    ABUZZ_CHECK(before != 0);
    return Buffer(block_, offset_ + static_cast<std::uint32_t>(offset),
                  static_cast<std::uint32_t>(bytes));
  }
  // Narrows this handle to [offset, offset + bytes) of what it covers now.
  // Requires: offset + bytes <= this->bytes().
  void narrow(std::size_t offset, std::size_t bytes) noexcept {
    ABUZZ_CHECK(offset <= bytes_ && bytes <= bytes_ - offset);
    offset_ += static_cast<std::uint32_t>(offset);
    bytes_ = static_cast<std::uint32_t>(bytes);
  }
  // True when this is the only handle on the block.
  bool is_sole() const noexcept {
    // Pairs with reset: what the holders of the other handles did before they let go.
    return block_ != nullptr && block_->handles.load(std::memory_order_acquire) == 1;
  }
  void reset() noexcept {
    if (block_ == nullptr) return;
    Block* const block = std::exchange(block_, nullptr);
    offset_ = 0;
    bytes_ = 0;
    // Release: what this holder did to the bytes. Acquire: the last one has what all others did.
    // Pairs with itself and with is_sole.
    const std::uint32_t before = block->handles.fetch_sub(1, std::memory_order_acq_rel);
    ABUZZ_CHECK(before != 0);
    if (before == 1) give_home(*block);
  }

 private:
  friend class Pool;
  Buffer(Block* block, std::uint32_t offset, std::uint32_t bytes) noexcept
      : block_(block), offset_(offset), bytes_(bytes) {}
  static void give_home(Block& block) noexcept;

  Block* block_ = nullptr;
  std::uint32_t offset_ = 0;
  std::uint32_t bytes_ = 0;
};

}  // namespace abuzz::mem
