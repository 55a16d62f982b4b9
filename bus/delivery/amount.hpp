#pragma once

#include <algorithm>
#include <cstdint>

namespace abuzz::delivery {

// Amounts in the two units that every window and bound is stated in.
struct Amount {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;

  friend Amount operator+(Amount left, Amount right) noexcept {
    return {left.messages + right.messages, left.bytes + right.bytes};
  }
  // Requires: right fits into left.
  friend Amount operator-(Amount left, Amount right) noexcept {
    return {left.messages - right.messages, left.bytes - right.bytes};
  }
  bool fits(Amount bound) const noexcept {
    return messages <= bound.messages && bytes <= bound.bytes;
  }
};

// Left less right, 0 where it would be negative.
inline Amount monus(Amount left, Amount right) noexcept {
  return {left.messages > right.messages ? left.messages - right.messages : 0,
          left.bytes > right.bytes ? left.bytes - right.bytes : 0};
}

// Each unit for itself.
inline Amount least(Amount left, Amount right) noexcept {
  return {std::min(left.messages, right.messages), std::min(left.bytes, right.bytes)};
}
inline Amount most(Amount left, Amount right) noexcept {
  return {std::max(left.messages, right.messages), std::max(left.bytes, right.bytes)};
}
// In at least one unit.
inline bool is_under(Amount amount, Amount mark) noexcept {
  return amount.messages < mark.messages || amount.bytes < mark.bytes;
}

}  // namespace abuzz::delivery
