#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace abuzz::link::detail {

// A queue in a circle of reused items: once it has been as full as it gets, it allocates nothing.
// Items are swapped in and out, so what an item owns (a vector's memory) stays in the circle.
template <class Item>
class Ring {
 public:
  bool empty() const noexcept { return count_ == 0; }
  std::size_t count() const noexcept { return count_; }
  // Requires: !empty().
  Item& front() noexcept { return items_[first_]; }
  const Item& front() const noexcept { return items_[first_]; }
  // Requires: index < count(). 0 is the front.
  const Item& at(std::size_t index) const noexcept {
    return items_[(first_ + index) % items_.size()];
  }
  const Item& back() const noexcept { return items_[(first_ + count_ - 1) % items_.size()]; }

  // The item behind the last, as whoever used it left it.
  Item& push() {
    if (count_ == items_.size()) grow();
    return items_[(first_ + count_++) % items_.size()];
  }
  // Requires: !empty(). The caller has taken or cleared what the front item held.
  void pop() noexcept {
    first_ = (first_ + 1) % items_.size();
    --count_;
  }

 private:
  void grow() {
    std::vector<Item> bigger(items_.empty() ? 16 : items_.size() * 2);
    for (std::size_t index = 0; index < count_; ++index) {
      bigger[index] = std::move(items_[(first_ + index) % items_.size()]);
    }
    items_.swap(bigger);
    first_ = 0;
  }

  std::vector<Item> items_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace abuzz::link::detail
