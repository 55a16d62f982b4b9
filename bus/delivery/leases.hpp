#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/delivery/dealer.hpp"

namespace abuzz::delivery {

struct Routed;
struct Pair;
struct Train;

// Consecutive messages of one batch on their way through a group, and the lease of them while a
// member has them.
struct Lot {
  // Facts, which go with the messages from attempt to attempt.
  Routed* routed = nullptr;
  Pair* pair = nullptr;
  std::uint32_t first = 0, count = 0;
  std::uint64_t charge = 0;
  std::uint64_t key = 0;      // of sticky groups, where all of them have the same
  Train* train = nullptr;     // of a message in chunks: the pieces before the last
  std::uint32_t attempt = 0;  // made so far, the present one included
  std::uint64_t failure = 0;  // the last of FailureLog; 0: none
  bool may_repeat = false;    // some member may have handled them
  bool is_suspect = false;    // the last member that had them died
  bool owes = true;           // the publisher keeps the batch for them
  // The lease.
  Member* member = nullptr;
  std::uint64_t open = 0;      // bit i: message first + i is leased
  std::uint64_t extended = 0;  // of them, those whose time was extended
  base::Nanos dealt_at = 0;
  base::Nanos deadline = 0;  // of those that were not extended; 0: none
  bool is_named = false;     // an entry in a line of the member names it
  bool is_begun = false;     // a part of it was put into a frame
  // Leases only.
  std::uint64_t serial = 0;
  Lot* previous = nullptr;
  Lot* next = nullptr;
  bool is_timed = false;  // stands in the list by deadline
};

constexpr std::uint32_t count_of(std::uint64_t bits) noexcept {
  return static_cast<std::uint32_t>(std::popcount(bits));
}
// Bits of `count` messages from the one at `first`. Requires: first + count <= 64.
constexpr std::uint64_t bits_of(std::uint32_t first, std::uint32_t count) noexcept {
  if (count == 0) return 0;
  return (~std::uint64_t{0} >> (64 - count)) << first;
}

// Takes the lowest run of consecutive bits out of `bits`. Requires: some bit is set.
struct BitRange {
  std::uint32_t first, count;
};
constexpr BitRange take_range(std::uint64_t& bits) noexcept {
  const auto first = static_cast<std::uint32_t>(std::countr_zero(bits));
  const auto count = static_cast<std::uint32_t>(std::countr_one(bits >> first));
  bits &= ~bits_of(first, count);
  return {first, count};
}

// The lots that members have in hand.
//
// | a message is | event                            | next                                        |
// |--------------|----------------------------------|---------------------------------------------|
// | leased       | resolve (ack, nak, refused, end) | over: a later word about it changes nothing |
// |              | extend                           | leased: its own time begins again, up to    |
// |              |                                  | extension_max after it was dealt            |
// |              | lapse at its deadline            | over                                        |
//
// What comes after `over` (acked, dealt again, dead) is the caller's: it makes a new lot for an
// attempt more. So numbers of an old attempt name an old lot, and a stale ack finds no open bit.
//
// Ownership: owns all lots; one is reused when nothing of it is open and no entry names it.
// One thread; time is handed in. Cost: constant, but for messages whose time was extended: a step
// for each of them at every look. Allocates nothing once it has grown.
class Leases {
 public:
  static constexpr base::Nanos extension_max = 3600 * base::second;

  // A lot that is not leased yet. Give it back with release, or lease it.
  Lot& acquire();
  void release(Lot& lot) noexcept;
  // Leases all its messages; `timeout` 0: without a time.
  void lease(Lot& lot, base::Nanos timeout, base::Nanos now) noexcept;
  // Ends the lease of these messages; returns which of them were leased until now.
  std::uint64_t resolve(Lot& lot, std::uint64_t bits) noexcept;
  // Returns which of them are leased.
  std::uint64_t extend(Lot& lot, std::uint64_t bits, base::Nanos timeout, base::Nanos now);
  // No entry names it any more. Reuses it if that was the last reason to keep it.
  void let_go(Lot& lot) noexcept;

  // Calls `lapsed(lot, bits)` for messages whose time is over; it must resolve them.
  template <class Lapsed>
  void look(base::Nanos now, Lapsed&& lapsed) {
    while (first_ != nullptr && first_->deadline <= now) {
      Lot& lot = *first_;
      untime(lot);
      if (const std::uint64_t over = lot.open & ~lot.extended; over != 0) lapsed(lot, over);
    }
    for (std::size_t index = 0; index < extensions_.size();) {
      const Extension item = extensions_[index];
      const bool is_live = item.lot->serial == item.serial && (item.lot->open & item.bit) != 0;
      if (is_live && item.deadline > now) {
        ++index;
        continue;
      }
      extensions_[index] = extensions_.back();
      extensions_.pop_back();
      if (is_live) lapsed(*item.lot, item.bit);
    }
  }
  // When look has something to do; 0: never.
  base::Nanos next_deadline() const noexcept;

 private:
  struct Extension {
    Lot* lot;
    std::uint64_t serial, bit;
    base::Nanos deadline;
  };
  static constexpr std::size_t per_block = 256;
  void untime(Lot& lot) noexcept;

  std::vector<std::unique_ptr<Lot[]>> blocks_;
  std::vector<Lot*> free_;
  std::vector<Extension> extensions_;
  // By deadline: all leases of a group have the same time, so that is the order in which they
  // began. Those without a time do not stand here.
  Lot* first_ = nullptr;
  Lot* last_ = nullptr;
  std::uint64_t last_serial_ = 0;
};

}  // namespace abuzz::delivery
