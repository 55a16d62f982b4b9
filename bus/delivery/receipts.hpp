#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "bus/delivery/ring.hpp"
#include "bus/receipt.hpp"
#include "bus/wire/control.hpp"

namespace abuzz::delivery {

// The receipts of one publication: what the subscriptions that matched said of each message of its
// batches that ask for it, until all of them have spoken; then the receipt, until its agent has
// confirmed it (schema/wire.md, section 13).
//
// | message  | event                               | next, action                                 |
// |----------|-------------------------------------|----------------------------------------------|
// | open     | a word of a subscription, not last  | open                                         |
// |          | the last one                        | settled: appended to the log                 |
// | settled  | peek, mark_told                     | told                                         |
// | told     | rewind: the link was lost           | settled                                      |
// |          | confirm                             | forgotten                                    |
//
// Threads: one. Ownership: owns its batches; a Batch* is valid until the last word of it.
// Invariants: each message is settled exactly once, after as many words as subscriptions matched.
// Who speaks for a group speaks once, when a member acknowledged or nobody will.
// Cost: a word costs a step for each message it is of. No allocation once the free batches and the
// log have grown; the log is bounded by is_full(), at which the publisher gets no more credit.
class ReceiptBook {
 public:
  // Not confirmed, at which is_full().
  static constexpr std::size_t runs_max = 4096;

  class Batch;

  ReceiptBook();
  ~ReceiptBook();
  ReceiptBook(const ReceiptBook&) = delete;
  ReceiptBook& operator=(const ReceiptBook&) = delete;

  // A batch was accepted: its messages are `first_seq` and so on; those from index `first` up to
  // `count` are new. Each of `pairs` subscriptions will speak once of each of them. nullptr when
  // nobody will: then all have found no subscriber.
  Batch* open(std::uint64_t first_seq, std::uint32_t first, std::uint32_t count,
              std::uint32_t pairs);

  // The word of one subscription on messages `first` to `first + count - 1` of the batch, which is
  // nullptr after the last word of all. Nothing for a batch that is nullptr.
  void delivered(Batch*& batch, std::uint32_t first, std::uint32_t count);
  void dropped(Batch*& batch, std::uint32_t first, std::uint32_t count, DropReason reason);
  void unknown(Batch*& batch, std::uint32_t first, std::uint32_t count);

  // --- The log. ---
  // The oldest receipt that is not told, but for its publication; nullptr: none.
  const wire::Receipt* peek() noexcept;
  void mark_told() noexcept;
  // What was told and not confirmed is to be told again.
  void rewind() noexcept { told_ = 0; }
  // Receipts up to this number arrived. A number that was not told says nothing.
  void confirm(std::uint64_t number) noexcept;
  bool has_untold() const noexcept { return told_ < log_.count(); }
  bool is_full() const noexcept { return log_.count() >= runs_max; }

  // Messages that were asked for, and of them those that are settled.
  std::uint64_t asked_count() const noexcept { return asked_; }
  std::uint64_t settled_count() const noexcept { return settled_; }

 private:
  struct Fate;
  Fate* fates_of(Batch* batch, std::uint32_t first, std::uint32_t count) noexcept;
  void finish(Batch*& batch, std::uint32_t first, std::uint32_t count);
  void append(std::uint64_t seq, const wire::Receipt& outcome);

  std::vector<std::unique_ptr<Batch>> batches_;
  std::vector<Batch*> free_;
  Ring<wire::Receipt> log_;  // not confirmed
  std::size_t told_ = 0;     // of them, at the front
  std::uint64_t last_number_ = 0;
  std::uint64_t told_number_ = 0;  // the highest that was told on any link
  std::uint64_t asked_ = 0, settled_ = 0;
};

}  // namespace abuzz::delivery
