#pragma once

#include <concurrentqueue.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

#include "bus/base/cache_line.hpp"
#include "bus/base/check.hpp"

namespace abuzz::queue {

namespace detail {

// The queue of one producer. It asks for a new block only when the one that comes next is still in
// use. With fewer than Quota items unread there are at most quota_blocks such blocks, so it comes
// to hold one block more, and never asks again.
template <std::size_t Quota>
struct IntakeTraits : moodycamel::ConcurrentQueueDefaultTraits {
  static constexpr std::size_t BLOCK_SIZE =
      std::clamp<std::size_t>(std::bit_floor(Quota / 4), 2, 32);
  static constexpr std::size_t quota_blocks = (Quota + BLOCK_SIZE - 1) / BLOCK_SIZE;
  static constexpr std::size_t items_max = (quota_blocks + 1) * BLOCK_SIZE;
  static constexpr std::size_t MAX_SUBQUEUE_SIZE = items_max;
  static constexpr std::size_t EXPLICIT_INITIAL_INDEX_SIZE = std::bit_ceil(quota_blocks + 1);
  // No implicit producers: in 1.0.3 they have a bug (fixed in 2025), and they allocate.
  static constexpr std::size_t INITIAL_IMPLICIT_PRODUCER_HASH_SIZE = 0;
};

}  // namespace detail

// The bounded queue in front of a thread or a role: many producers, one consumer at a time.
//
// Threads: each Producer is used by one thread at a time; pop by one thread at a time; producer()
// by any. Ownership: the Intake outlives its Producers (checked). T is moved without throwing.
// Invariants: first in, first out per Producer; no order across Producers. A Producer is refused
// when Quota of its items are unread, and for no other reason: what the others do cannot starve it,
// and it cannot starve them. What a destroyed Producer left behind is still popped, and until then
// counts in the quota of the one that takes its place.
// Cost: try_push and pop do not allocate; a few locked instructions. A pop looks at a word for each
// 64 places there are (as many as there were Producers at one time), and at the queues of those
// that pushed since. producer() may allocate, and takes a mutex that only producer() takes.
//
// Why each producer has a queue of its own, and its items are counted here: in one bounded
// moodycamel::ConcurrentQueue the first producer can keep all blocks. MAX_SUBQUEUE_SIZE does not
// cure that under load: 1.0.3 looks whether the next block is free, then whether the bound allows a
// new one; a consumer that runs between the two lets it take one block more for ever, each time.
template <class T, std::size_t Quota>
class Intake {
  static_assert(Quota > 0);
  static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T>);

  using Traits = detail::IntakeTraits<Quota>;

  // Which of 64 places have something. A bit is raised after each push; the consumer takes all that
  // are raised, and keeps those of places that it did not find empty.
  struct Marks {
    std::atomic<std::uint64_t> raised{0};
    std::uint64_t taken = 0;  // the consumer only
  };
  static constexpr std::size_t places_per_word = 64;
  static constexpr std::size_t words_of(std::size_t places) noexcept {
    return (places + places_per_word - 1) / places_per_word;
  }
  static constexpr std::uint64_t bit_of(std::size_t index) noexcept {
    return std::uint64_t{1} << (index % places_per_word);
  }

  // Where one producer at a time pushes.
  struct Place {
    Place(Marks& marks_of_it, std::uint64_t its_mark) : marks(marks_of_it), mark(its_mark) {}

    Marks& marks;
    const std::uint64_t mark;
    moodycamel::ConcurrentQueue<T, Traits> queue{Traits::items_max};
    const moodycamel::ProducerToken token{queue};

    // The Producer only. They stay true when another Producer takes the place.
    alignas(base::writer_distance_bytes) std::uint64_t pushed = 0;
    std::uint64_t popped_seen = 0;  // a popped of some time ago

    // The consumer only writes, the Producer reads: publishes that the blocks of the items counted
    // are free again.
    alignas(base::writer_distance_bytes) std::atomic<std::uint64_t> popped{0};
    // Raised by ~Producer, lowered by producer(): hands the fields of the Producer over.
    std::atomic<bool> is_free{true};
  };

 public:
  // One source of items. Empty (try_push refuses) when default-constructed or moved from.
  class Producer {
   public:
    Producer() noexcept = default;
    Producer(Producer&& other) noexcept : place_(std::exchange(other.place_, nullptr)) {}
    Producer& operator=(Producer&& other) noexcept {
      if (this == &other) return *this;
      leave();
      place_ = std::exchange(other.place_, nullptr);
      return *this;
    }
    Producer(const Producer&) = delete;
    Producer& operator=(const Producer&) = delete;
    ~Producer() { leave(); }

    explicit operator bool() const noexcept { return place_ != nullptr; }

    // Whether try_push would take an item now. By the producer's thread.
    bool has_room() noexcept {
      if (place_ == nullptr) return false;
      Place& place = *place_;
      if (place.pushed - place.popped_seen < Quota) return true;
      // Pairs with pop: the blocks of what was popped are free again.
      place.popped_seen = place.popped.load(std::memory_order_acquire);
      return place.pushed - place.popped_seen < Quota;
    }

    // Returns false when the quota is used up; the item is then unchanged.
    // HOT: the producer's thread
    bool try_push(T&& item) noexcept {
      if (!has_room()) return false;
      Place& place = *place_;
      if (!place.queue.try_enqueue(place.token, std::move(item))) return false;
      // Pairs with take_marks. Not only where it is down: a consumer that takes it now may have
      // looked into the queue already.
      place.marks.raised.fetch_or(place.mark, std::memory_order_release);
      ++place.pushed;
      return true;
    }

   private:
    friend class Intake;
    explicit Producer(Place& place) noexcept : place_(&place) {}

    void leave() noexcept {
      // Pairs with free_place and ~Intake: what this Producer did.
      if (place_ != nullptr) place_->is_free.store(true, std::memory_order_release);
      place_ = nullptr;
    }

    Place* place_ = nullptr;
  };

  explicit Intake(std::size_t producers_max)
      : producers_max_(producers_max),
        places_(std::make_unique<std::unique_ptr<Place>[]>(producers_max)),
        marks_(std::make_unique<Marks[]>(words_of(producers_max))) {}

  ~Intake() {
    // Relaxed: who destroys it is the last one to use it.
    for (std::size_t index = 0; index < place_count_.load(std::memory_order_relaxed); ++index) {
      // Pairs with ~Producer. A Producer that outlived its Intake would write into freed memory.
      ABUZZ_CHECK(places_[index]->is_free.load(std::memory_order_acquire));
    }
  }
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  // May allocate. Empty when producers_max producers are alive, or memory ran out.
  Producer producer() {
    const std::lock_guard lock(producer_mutex_);
    Place* const place = free_place();
    if (place == nullptr) return {};
    // Relaxed: only this function lowers it, under the mutex.
    place->is_free.store(false, std::memory_order_relaxed);
    return Producer(*place);
  }

  // Moves up to `max` items to `output`, and returns how many. An item whose try_push
  // happened-before the call is found, or `max` others are.
  // HOT: the consumer's thread
  std::size_t pop(T* output, std::size_t max) noexcept {
    std::size_t popped = 0;
    while (popped < max) {
      const std::size_t index = next_marked();
      if (index == producers_max_) break;
      // Turns after each block's worth, so that a busy producer does not hide the others.
      const std::size_t wanted = std::min(max - popped, turn_items);
      const std::size_t got = pop_from(*places_[index], output + popped, wanted);
      if (got < wanted) marks_[index / places_per_word].taken &= ~bit_of(index);
      popped += got;
      cursor_ = index + 1;
    }
    return popped;
  }

 private:
  static constexpr std::size_t turn_items = Traits::BLOCK_SIZE;

  // Of a word: the places that have something, or had it when it was last looked at.
  static std::uint64_t take_marks(Marks& marks) noexcept {
    // Relaxed: what happened-before is seen all the same. Acquire: pairs with try_push.
    if (marks.raised.load(std::memory_order_relaxed) != 0)
      marks.taken |= marks.raised.exchange(0, std::memory_order_acquire);
    return marks.taken;
  }

  // The next marked place, from the cursor on and around; producers_max_ for none.
  std::size_t next_marked() noexcept {
    // Pairs with free_place: the places are whole.
    const std::size_t words = words_of(place_count_.load(std::memory_order_acquire));
    if (words == 0) return producers_max_;
    const std::size_t first = cursor_ / places_per_word;
    // The word with the cursor twice: first what follows the cursor, last all of it.
    for (std::size_t step = 0; step <= words; ++step) {
      const std::size_t word = (first + step) % words;
      std::uint64_t marked = take_marks(marks_[word]);
      if (step == 0 && first == word) marked &= ~std::uint64_t{0} << (cursor_ % places_per_word);
      if (marked != 0) return word * places_per_word + std::countr_zero(marked);
    }
    return producers_max_;
  }

  static std::size_t pop_from(Place& place, T* output, std::size_t max) noexcept {
    const std::size_t got = place.queue.try_dequeue_bulk_from_producer(place.token, output, max);
    if (got == 0) return 0;
    // Relaxed: the consumer alone writes it. Release: pairs with try_push; the blocks are free.
    const std::uint64_t popped = place.popped.load(std::memory_order_relaxed);
    place.popped.store(popped + got, std::memory_order_release);
    return got;
  }

  // Requires: producer_mutex_ is held.
  Place* free_place() {
    const std::size_t place_count = place_count_.load(std::memory_order_relaxed);  // our own
    for (std::size_t index = 0; index < place_count; ++index) {
      // Pairs with ~Producer: what the Producer did that was here.
      if (places_[index]->is_free.load(std::memory_order_acquire)) return places_[index].get();
    }
    if (place_count == producers_max_) return nullptr;
    auto place =
        std::make_unique<Place>(marks_[place_count / places_per_word], bit_of(place_count));
    if (!place->token.valid()) return nullptr;  // no memory
    places_[place_count] = std::move(place);
    // Pairs with pop: the place is whole.
    place_count_.store(place_count + 1, std::memory_order_release);
    return places_[place_count].get();
  }

  // Constant after construction.
  const std::size_t producers_max_;
  // Each entry is written once, by producer(), before place_count_ covers it.
  const std::unique_ptr<std::unique_ptr<Place>[]> places_;
  // Shared: raised by Producers, taken by pop.
  const std::unique_ptr<Marks[]> marks_;
  // Shared: stored by producer(), loaded by pop; publishes the places below it.
  std::atomic<std::size_t> place_count_{0};
  // Lets one producer() at a time look for a place; off the message route.
  std::mutex producer_mutex_;
  // The thread inside pop only.
  alignas(base::writer_distance_bytes) std::size_t cursor_ = 0;
};

}  // namespace abuzz::queue
