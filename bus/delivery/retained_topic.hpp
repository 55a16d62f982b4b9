#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <span>
#include <unordered_map>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/mem/buffer.hpp"
#include "bus/wire/batch.hpp"

namespace abuzz::delivery {

// What is kept of one sealed batch, or of one message that came in chunks.
struct RetainedBatch {
  mem::Buffer slice;                // the sealed batch; of chunks the first
  std::vector<mem::Buffer> chunks;  // the others, in order
  wire::Envelope envelope;          // of the batch, or of the last chunk
  base::Nanos expires_at = 0;       // 0: never

  RetainedBatch() = default;
  RetainedBatch(RetainedBatch&&) noexcept = default;
  RetainedBatch& operator=(RetainedBatch&&) noexcept = default;

  bool is_expired(base::Nanos now) const noexcept { return expires_at != 0 && now >= expires_at; }
  // Bytes that it keeps alive.
  std::uint64_t bytes() const noexcept;
  // Of credit, as for the batch itself.
  std::uint64_t charge() const noexcept;
};

// Consecutive messages of a batch that are kept.
struct RetainedPiece {
  const RetainedBatch* batch = nullptr;
  std::uint32_t first = 0, count = 0;  // message index inside the batch
  std::uint64_t key = 0;               // of them all
};

// The last messages of one topic: of each key at most `messages_max`, in all at most `bytes_max`
// bytes kept alive. What comes later takes the place of what is oldest.
//
// Threads: one. Ownership: holds a handle on each batch of which something is kept.
// Invariants: kept = messages + replaced + evicted + expired; bytes() <= bytes_max after each call.
// Cost: keep() is constant for each message, and allocates nothing once it has grown to the number
// of keys and messages that there are; restore() and collect() take a step for each message kept.
class RetainedTopic {
 public:
  explicit RetainedTopic(std::uint64_t bytes_max) noexcept : bytes_max_(bytes_max) {}

  // The largest wish wins.
  void raise(std::uint32_t messages_max) noexcept;
  std::uint32_t messages_max() const noexcept { return messages_max_; }

  // The newest of all. `keys`: of the messages first .. first + count - 1; empty: all 0. Returns
  // what is kept of it, nullptr for nothing; its slice is empty once it is kept no more.
  const RetainedBatch* keep(RetainedBatch&& batch, std::uint32_t first, std::uint32_t count,
                            std::span<const std::uint64_t> keys);
  // The same with what was kept elsewhere: it is put where it belongs by the time when it was sent.
  const RetainedBatch* restore(RetainedBatch&& batch, std::uint32_t first, std::uint32_t count,
                               std::span<const std::uint64_t> keys);
  // The oldest message goes, counted as evicted. Requires: not empty.
  void evict_oldest();
  // What has outlived its time to live goes.
  void expire(base::Nanos now);

  // Appends what is kept and not expired, oldest first. Valid until something else is called.
  void collect(std::vector<RetainedPiece>& pieces, base::Nanos now) const;
  // The newest message of all keys (0), or of one; its batch is nullptr for none.
  RetainedPiece newest(std::uint64_t key, base::Nanos now) const;

  bool is_empty() const noexcept { return messages_ == 0; }
  bool is_expiring() const noexcept { return expiring_ > 0; }
  std::uint64_t messages() const noexcept { return messages_; }
  std::uint64_t bytes() const noexcept { return bytes_; }
  // When the oldest came, as numbered by the owner. Requires: not empty.
  std::uint64_t oldest_order() const noexcept { return batches_[units_[oldest_].batch].order; }
  // What the next batch is numbered with.
  std::uint64_t next_order = 0;

  // In all.
  struct Totals {
    std::uint64_t kept = 0, replaced = 0, evicted = 0, expired = 0;
  };
  const Totals& totals() const noexcept { return totals_; }

 private:
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
  struct Held {
    RetainedBatch batch;
    std::uint64_t bytes = 0;
    std::uint64_t order = 0;
    std::uint32_t units = 0;  // of them kept; 0: the place is free
  };
  // One message. Stands in two lists: of the topic, and of its key.
  struct Unit {
    std::uint32_t batch = none, index = 0;
    std::uint64_t key = 0;
    std::uint32_t older = none, newer = none;
    std::uint32_t key_older = none, key_newer = none;
  };
  struct Key {
    std::uint32_t oldest = none, newest = none, count = 0;
  };

  std::uint32_t hold(RetainedBatch&& batch);
  const RetainedBatch* settle(std::uint32_t batch);
  void add(std::uint32_t batch, std::uint32_t index, std::uint64_t key, std::uint32_t before);
  void link_key(std::uint32_t unit, std::uint32_t before);
  void remove(std::uint32_t unit);
  void free(std::uint32_t batch);
  std::uint32_t place_of(std::int64_t send_time_ns) const noexcept;
  void evict_to_bound();

  const std::uint64_t bytes_max_;
  std::uint32_t messages_max_ = 0;
  std::deque<Held> batches_;  // not moved when it grows
  std::vector<std::uint32_t> free_batches_;
  std::vector<Unit> units_;
  std::vector<std::uint32_t> free_units_;
  std::unordered_map<std::uint64_t, Key> keys_;
  std::uint32_t oldest_ = none, newest_ = none;
  std::uint64_t messages_ = 0, bytes_ = 0;
  std::uint64_t expiring_ = 0;  // batches that have a time to live
  Totals totals_;
};

}  // namespace abuzz::delivery
