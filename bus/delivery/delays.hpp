#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/delivery/leases.hpp"

namespace abuzz::delivery {

// Lots of a group that wait for their next attempt, by the time at which they may be dealt again.
// One thread. Cost: a logarithm of how many wait. Bounded by the group's bound.
class Delays {
 public:
  bool is_empty() const noexcept { return heap_.empty(); }
  std::size_t count() const noexcept { return heap_.size(); }
  void add(Lot& lot, base::Nanos due) {
    heap_.push_back({due, ++last_, &lot});
    std::push_heap(heap_.begin(), heap_.end(), is_later);
  }
  template <class Visit>
  void for_each(Visit&& visit) {
    for (Item& item : heap_) visit(*item.lot);
  }
  // nullptr while nothing is due.
  Lot* take_due(base::Nanos now) noexcept {
    return heap_.empty() || heap_.front().due > now ? nullptr : take();
  }
  // The next one, due or not. nullptr: there is none.
  Lot* take() noexcept {
    if (heap_.empty()) return nullptr;
    std::pop_heap(heap_.begin(), heap_.end(), is_later);
    Lot* lot = heap_.back().lot;
    heap_.pop_back();
    return lot;
  }
  // 0: none waits.
  base::Nanos next_due() const noexcept { return heap_.empty() ? 0 : heap_.front().due; }

 private:
  struct Item {
    base::Nanos due;
    std::uint64_t number;  // what failed first comes first
    Lot* lot;
  };
  static bool is_later(const Item& left, const Item& right) noexcept {
    return left.due != right.due ? left.due > right.due : left.number > right.number;
  }
  std::vector<Item> heap_;
  std::uint64_t last_ = 0;
};

}  // namespace abuzz::delivery
