#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "bus/delivery/ring.hpp"

namespace abuzz::delivery {

// What a subscription has still to be sent, oldest first. Policies take entries out of the middle:
// they leave a hole, which is closed when holes outnumber entries. Each entry has a ticket by which
// it is found again; tickets rise along the queue.
//
// Entry: `routed` is nullptr for a hole, `ticket` belongs to the queue.
// One thread. Cost: find is a binary search; the rest is constant but for closing holes, which
// costs a step for each entry that was taken out. No allocation once it has grown.
template <class Entry>
class SendQueue {
 public:
  bool is_empty() const noexcept { return live_ == 0; }
  std::size_t count() const noexcept { return live_; }
  // Places, holes included, for at().
  std::size_t places() const noexcept { return ring_.count(); }
  // Requires: index < places().
  Entry& at(std::size_t index) noexcept { return ring_.at(index); }
  static bool is_hole(const Entry& entry) noexcept { return entry.routed == nullptr; }
  // Requires: not empty.
  Entry& front() noexcept { return ring_.front(); }

  // Returns the ticket.
  std::uint64_t push_back(Entry&& entry) {
    entry.ticket = ++last_ticket_;
    ring_.push_back(std::move(entry));
    ++live_;
    return last_ticket_;
  }
  void push_front(Entry&& entry) {
    entry.ticket = (ring_.is_empty() ? last_ticket_ + 1 : ring_.front().ticket) - 1;
    ring_.push_front(std::move(entry));
    ++live_;
  }
  // nullptr when it left the queue.
  Entry* find(std::uint64_t ticket) noexcept {
    std::size_t low = 0, high = ring_.count();
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (ring_.at(middle).ticket < ticket)
        low = middle + 1;
      else
        high = middle;
    }
    if (low == ring_.count() || ring_.at(low).ticket != ticket) return nullptr;
    Entry& found = ring_.at(low);
    return is_hole(found) ? nullptr : &found;
  }
  // Takes an entry out. Places at() and behind it may move.
  Entry take(Entry& entry) {
    Entry taken = std::move(entry);
    entry.routed = nullptr;
    --live_;
    while (!ring_.is_empty() && is_hole(ring_.front())) ring_.pop_front();
    if (ring_.count() > 64 && live_ * 2 < ring_.count()) close_holes();
    return taken;
  }

 private:
  void close_holes() {
    std::size_t kept = 0;
    for (std::size_t index = 0; index < ring_.count(); ++index) {
      if (is_hole(ring_.at(index))) continue;
      if (kept != index) ring_.at(kept) = std::move(ring_.at(index));
      ++kept;
    }
    while (ring_.count() > kept) ring_.pop_back();
  }

  Ring<Entry> ring_;
  std::size_t live_ = 0;
  // Far from 0: entries that come back get smaller ones.
  std::uint64_t last_ticket_ = std::uint64_t{1} << 62;
};

}  // namespace abuzz::delivery
