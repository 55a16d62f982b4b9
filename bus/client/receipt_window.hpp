#pragma once

#include <cstddef>
#include <cstdint>

#include "bus/base/units.hpp"
#include "bus/delivery/ring.hpp"
#include "bus/receipt.hpp"
#include "bus/wire/control.hpp"

namespace abuzz::client {

// What a publisher remembers of the messages for which it asked a receipt, through all its nodes.
//
// | outcome | event                                  | next                                       |
// |---------|----------------------------------------|--------------------------------------------|
// | pending | receipt                                | as it says; but what a lost node may have  |
// |         |                                        | delivered and this one did not: unknown    |
// |         | the node that it was sent to is lost   | unknown; returns, if it is sent again      |
// | unknown | receipt of a later node                | unknown; what it says is kept for retry    |
// |         | retry, and a later node delivered it   | delivered                                  |
// |         | retry, and it returns                  | pending                                    |
// | other   | any                                    | the same                                   |
//
// Threads: inside the session's combiner. Time is handed in.
// Invariants: sequences rise along the ring. Remembered are what is not settled and, of what is,
// the last 1,024 and what settled in the last 60 s; never more than items_max: then the oldest go.
// Cost: a search for each receipt, a step for each message of it; a node's loss costs a step for
// each message that is remembered. Grows to 1.5 MiB at most, and only where receipts are asked.
class ReceiptWindow {
 public:
  static constexpr std::size_t settled_kept = 1024;
  static constexpr base::Nanos settled_kept_for = 60 * base::second;
  static constexpr std::size_t items_max = 65'536;

  // These messages got their sequences. Requires: rising from call to call.
  void ask(std::uint64_t first_seq, std::uint32_t count, base::Nanos now);
  // What became of messages that asked; of others it says nothing.
  void settle(const wire::Receipt& run, base::Nanos now);
  // The node is lost: it may have had all up to `sent_seq`. What is kept, from `kept_seq` on, goes
  // to the next one.
  void lose_node(std::uint64_t sent_seq, std::uint64_t kept_seq, base::Nanos now);
  // A node that knows nothing of earlier outcomes will not take again what is up to `accepted_seq`.
  void meet_node(std::uint64_t accepted_seq, std::uint64_t sent_seq, base::Nanos now);

  // outside_window for what did not ask or is forgotten.
  Receipt find(std::uint64_t seq) noexcept;
  Receipt retry(std::uint64_t seq) noexcept;

  std::size_t count() const noexcept { return items_.count(); }
  std::size_t pending_count() const noexcept { return items_.count() - settled_; }

 private:
  struct Item {
    Item() noexcept : may_repeat(false), returns(false) {}
    std::uint64_t seq = 0;
    base::Nanos settled_at = 0;
    std::uint32_t delivered = 0;  // of unknown: as a later node said
    ReceiptOutcome outcome = ReceiptOutcome::pending;
    DropReason reason = DropReason::queue_full;
    bool is_partial = false;
    bool may_repeat : 1;  // a node that is lost may have delivered it
    bool returns : 1;     // of unknown: a later node gets it, and has not told
  };
  static_assert(sizeof(Item) == 24);

  std::size_t place_of(std::uint64_t seq) noexcept;
  Item* item_of(std::uint64_t seq) noexcept;
  void settle_item(Item& item, const wire::Receipt& run, base::Nanos now) noexcept;
  void lose(Item& item, bool returns, base::Nanos now) noexcept;
  void forget(base::Nanos now) noexcept;
  static Receipt receipt_of(const Item& item) noexcept;

  delivery::Ring<Item> items_;
  std::size_t settled_ = 0;  // of them
};

}  // namespace abuzz::client
