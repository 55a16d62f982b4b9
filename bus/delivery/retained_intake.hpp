#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/delivery/retained_store.hpp"
#include "bus/mem/pool.hpp"
#include "bus/wire/batch.hpp"

namespace abuzz::delivery {

// Messages `first` .. `first + count - 1` of a verified batch, sealed again as a batch of their own
// with the same identity, sequences, keys and times. Empty when there is no buffer, or one of them
// has headers or flags, which are not carried over.
mem::Buffer seal_again(const wire::BatchView& view, std::uint32_t first, std::uint32_t count,
                       mem::Pool& pool);

// Takes the batches of streams into a RetainedStore, so that little is kept alive: a small batch
// gets a buffer of its own, and of a batch with keys each message that is kept is sealed alone.
// Chunks are collected until their message is whole.
//
// Threads: one. Ownership: store and pool outlive it. Cost: a batch with keys is verified and its
// kept messages are copied; of another one a small slice is copied.
class RetainedIntake {
 public:
  RetainedIntake(RetainedStore& store, mem::Pool& pool) : store_(store), pool_(pool) {}

  // One stream that is retained.
  struct Source {
    RetainedStore::Topic* topic = nullptr;
    std::vector<mem::Buffer> chunks;  // of the message under way, restored or not
    bool misses_train = false;        // its beginning is not here
    std::uint64_t restored_seq = 0;   // up to here what came back from an earlier node was taken
  };
  enum class Outcome : std::uint8_t {
    incomplete,  // a chunk: more follow
    kept,
    passed,   // nothing of it is kept
    refused,  // a body that does not verify
  };
  struct Item {
    mem::Buffer slice;
    const wire::BatchHead& head;
    std::uint32_t skip = 0;      // leading messages that had come before
    base::Nanos expires_at = 0;  // 0: never
    bool is_restored = false;    // from an earlier node: stands where it was sent
  };
  Outcome take(Source& source, Item&& item);
  // The chunks under way will not be complete.
  static void abort(Source& source) noexcept;
  // What the last take() kept, for who gets it at once: until the store is changed again.
  const std::vector<RetainedPiece>& taken() const noexcept { return taken_; }

 private:
  Outcome take_chunk(Source& source, Item&& item);
  Outcome take_keyed(Source& source, Item&& item);
  Outcome put(Source& source, RetainedBatch&& batch, std::uint32_t first, std::uint32_t count,
              std::uint64_t key, bool is_restored);
  mem::Buffer own_copy(mem::Buffer&& slice);

  RetainedStore& store_;
  mem::Pool& pool_;
  std::vector<RetainedPiece> taken_;
};

}  // namespace abuzz::delivery
