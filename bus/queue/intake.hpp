#pragma once

#include <concurrentqueue.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "bus/base/check.hpp"

namespace abuzz::queue {

namespace detail {

// moodycamel checks its bound block by block, so the blocks divide the quota: then the bound is
// exact. At least four of them where that goes, because a producer with a partly read block is
// refused up to one block early.
constexpr std::size_t intake_block_items(std::size_t quota) {
  const std::size_t wanted = std::clamp<std::size_t>(std::bit_floor(quota / 4), 2, 32);
  return std::min(wanted, std::size_t{1} << std::countr_zero(quota));
}

template <std::size_t Quota>
struct IntakeTraits : moodycamel::ConcurrentQueueDefaultTraits {
  static constexpr std::size_t BLOCK_SIZE = intake_block_items(Quota);
  static constexpr std::size_t MAX_SUBQUEUE_SIZE = Quota;
  // Blocks that one producer may come to hold: its quota, and two that the consumer has counted as
  // taken but is still reading (it takes at most one block's worth at a time).
  static constexpr std::size_t producer_blocks = Quota / BLOCK_SIZE + 2;
  static constexpr std::size_t EXPLICIT_INITIAL_INDEX_SIZE = std::bit_ceil(producer_blocks);
  // No implicit producers: in 1.0.3 they have a bug (hazard 24), and they allocate.
  static constexpr std::size_t INITIAL_IMPLICIT_PRODUCER_HASH_SIZE = 0;
};

}  // namespace detail

// The bounded queue in front of a thread or a role: many producers, one consumer at a time.
//
// Threads: each Producer is used by one thread at a time; pop by one thread at a time; producer()
// by any. Ownership: the Intake outlives its Producers (checked). T is moved without throwing.
// Invariants: first in, first out per Producer; no order across Producers. One Producer never holds
// more than its quota, so it cannot starve the others: without MAX_SUBQUEUE_SIZE the first producer
// keeps every pre-allocated block of moodycamel::ConcurrentQueue for ever. What a destroyed
// Producer left behind is still popped, and until then counts in the quota of the one that takes
// its place. try_push may refuse up to one block (a quarter of the quota, at most 32) early.
// Cost: try_push and pop do not allocate after producer(); a few locked instructions. An empty pop
// looks at every producer there ever was at one time. producer() allocates when it is the first of
// a group of 16, and takes a mutex that only producer() takes.
//
// Why groups: each explicit producer of moodycamel gets an index as long as the pool of blocks, so
// one pool for n producers would cost n times n. A group has its own queue.
template <class T, std::size_t Quota>
class Intake {
  static_assert(Quota >= 2 && Quota % 2 == 0, "the blocks of the queue have to divide the quota");
  static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T>);

  using Traits = detail::IntakeTraits<Quota>;
  using Queue = moodycamel::ConcurrentQueue<T, Traits>;
  static constexpr std::size_t group_producers = 16;

  struct Group {
    explicit Group(std::size_t producers)
        : queue(producers * Traits::producer_blocks * Traits::BLOCK_SIZE), consumer(queue) {}

    Queue queue;
    moodycamel::ConsumerToken consumer;  // the thread inside pop only
    // Producers alive. Raised under the mutex, lowered by ~Producer: a place counted as free has a
    // token that is free.
    std::atomic<std::size_t> live{0};
  };

 public:
  // One source of items. Empty (try_push refuses) when default-constructed or moved from.
  class Producer {
   public:
    Producer() noexcept = default;
    Producer(Producer&& other) noexcept
        : group_(std::exchange(other.group_, nullptr)), token_(std::move(other.token_)) {
      other.token_.reset();
    }
    Producer& operator=(Producer&& other) noexcept {
      if (this == &other) return *this;
      leave();
      group_ = std::exchange(other.group_, nullptr);
      if (other.token_) token_.emplace(std::move(*other.token_));
      other.token_.reset();
      return *this;
    }
    Producer(const Producer&) = delete;
    Producer& operator=(const Producer&) = delete;
    ~Producer() { leave(); }

    explicit operator bool() const noexcept { return group_ != nullptr; }

    // Returns false when the quota is used up; the item is then unchanged.
    // HOT: the producer's thread
    bool try_push(T&& item) noexcept {
      return group_ != nullptr && group_->queue.try_enqueue(*token_, std::move(item));
    }

   private:
    friend class Intake;
    explicit Producer(Group& group) : group_(&group), token_(std::in_place, group.queue) {}

    void leave() noexcept {
      token_.reset();
      // Pairs with group_with_room: the token is free before its place is.
      if (group_ != nullptr) group_->live.fetch_sub(1, std::memory_order_release);
      group_ = nullptr;
    }

    Group* group_ = nullptr;
    std::optional<moodycamel::ProducerToken> token_;
  };

  explicit Intake(std::size_t producers_max)
      : producers_max_(producers_max),
        groups_(std::make_unique<std::unique_ptr<Group>[]>((producers_max + group_producers - 1) /
                                                           group_producers)) {}

  ~Intake() {
    for (std::size_t index = 0; index < group_count_.load(std::memory_order_relaxed); ++index) {
      // Pairs with ~Producer. A Producer that outlived its Intake would write into freed memory.
      ABUZZ_CHECK(groups_[index]->live.load(std::memory_order_acquire) == 0);
    }
  }
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  // May allocate. Empty when producers_max producers are alive, or memory ran out.
  Producer producer() {
    const std::lock_guard lock(producer_mutex_);
    Group* const group = group_with_room();
    if (group == nullptr) return {};
    // Relaxed: raised only here, under the mutex.
    group->live.fetch_add(1, std::memory_order_relaxed);
    Producer made(*group);
    if (!made.token_->valid()) return {};  // no memory
    return made;
  }

  // Moves up to `max` items to `output`, and returns how many. An item whose try_push
  // happened-before the call is found, or `max` others are.
  // HOT: the consumer's thread
  std::size_t pop(T* output, std::size_t max) noexcept {
    // Pairs with group_with_room: the group is whole.
    const std::size_t group_count = group_count_.load(std::memory_order_acquire);
    std::size_t popped = 0;
    std::size_t empty_groups = 0;
    while (popped < max && empty_groups < group_count) {
      if (cursor_ >= group_count) cursor_ = 0;
      Group& group = *groups_[cursor_++];
      const std::size_t wanted = std::min(max - popped, std::size_t{Traits::BLOCK_SIZE});
      // The token turns from producer to producer, so that a busy one does not hide the others.
      const std::size_t got = group.queue.try_dequeue_bulk(group.consumer, output + popped, wanted);
      popped += got;
      empty_groups = got < wanted ? empty_groups + 1 : 0;
    }
    return popped;
  }

 private:
  // Requires: producer_mutex_ is held.
  Group* group_with_room() {
    const std::size_t group_count = group_count_.load(std::memory_order_relaxed);  // our own
    for (std::size_t index = 0; index < group_count; ++index) {
      // Pairs with ~Producer: the token that became free.
      const std::size_t live = groups_[index]->live.load(std::memory_order_acquire);
      if (live < producers_of(index)) return groups_[index].get();
    }
    if (group_count * group_producers >= producers_max_) return nullptr;
    groups_[group_count] = std::make_unique<Group>(producers_of(group_count));
    // Pairs with pop: the group is whole.
    group_count_.store(group_count + 1, std::memory_order_release);
    return groups_[group_count].get();
  }
  std::size_t producers_of(std::size_t group) const noexcept {
    return std::min(group_producers, producers_max_ - group * group_producers);
  }

  // Constant after construction.
  const std::size_t producers_max_;
  // Each entry is written once, by producer(), before group_count_ covers it.
  const std::unique_ptr<std::unique_ptr<Group>[]> groups_;
  // Shared: stored by producer(), loaded by pop; publishes the group below it.
  std::atomic<std::size_t> group_count_{0};
  // Makes producers one by one, off the message route: of two at once, moodycamel might give one a
  // fresh token while a free one is there, and the blocks are counted for no more tokens.
  std::mutex producer_mutex_;
  // The thread inside pop only.
  std::size_t cursor_ = 0;
};

}  // namespace abuzz::queue
