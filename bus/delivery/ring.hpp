#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace abuzz::delivery {

// A queue in one block of memory that doubles when it is full and never shrinks: after warm-up it
// allocates nothing. One thread.
template <class T>
class Ring {
 public:
  bool is_empty() const noexcept { return count_ == 0; }
  std::size_t count() const noexcept { return count_; }

  void push_back(T&& item) {
    if (count_ == slots_.size()) grow();
    slots_[(first_ + count_) & (slots_.size() - 1)] = std::move(item);
    ++count_;
  }
  void push_front(T&& item) {
    if (count_ == slots_.size()) grow();
    first_ = (first_ - 1) & (slots_.size() - 1);
    slots_[first_] = std::move(item);
    ++count_;
  }
  // Requires: not empty.
  T& front() noexcept { return slots_[first_]; }
  T& back() noexcept { return slots_[(first_ + count_ - 1) & (slots_.size() - 1)]; }
  // Requires: index < count().
  T& at(std::size_t index) noexcept { return slots_[(first_ + index) & (slots_.size() - 1)]; }
  void pop_front() noexcept {
    slots_[first_] = T{};
    first_ = (first_ + 1) & (slots_.size() - 1);
    --count_;
  }
  void pop_back() noexcept {
    back() = T{};
    --count_;
  }

 private:
  void grow() {
    std::vector<T> larger(slots_.empty() ? 16 : slots_.size() * 2);
    for (std::size_t index = 0; index < count_; ++index) larger[index] = std::move(at(index));
    slots_ = std::move(larger);
    first_ = 0;
  }

  std::vector<T> slots_;  // a power of two
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace abuzz::delivery
