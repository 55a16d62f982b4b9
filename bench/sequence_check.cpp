#include "bench/sequence_check.hpp"

#include <iterator>

namespace abuzz::bench {

void SequenceCheck::take_odd(std::uint64_t sequence) {
  if (sequence > next_) {
    holes_.emplace(next_, sequence - 1);
    next_ = sequence + 1;
    ++received_;
    return;
  }
  auto hole = holes_.upper_bound(sequence);
  if (hole == holes_.begin() || std::prev(hole)->second < sequence) {
    ++doubled_;
    return;
  }
  --hole;
  const auto [first, last] = *hole;
  holes_.erase(hole);
  if (first < sequence) holes_.emplace(first, sequence - 1);
  if (sequence < last) holes_.emplace(sequence + 1, last);
  ++reordered_;
  ++received_;
}

void SequenceCheck::finish(std::uint64_t total) {
  lost_ = total + 1 > next_ ? total + 1 - next_ : 0;
  for (const auto& [first, last] : holes_) lost_ += last - first + 1;
}

}  // namespace abuzz::bench
