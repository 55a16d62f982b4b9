#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace abuzz::delivery {

// Which messages of a batch some subscription handled. Most batches are handled from the front;
// what stands apart (policies that drop the oldest leave a hole there) is kept as ranges.
// One thread. Cost: no allocation while it is a prefix, or once `ranges_` has grown.
class Coverage {
 public:
  void add(std::uint32_t first, std::uint32_t count) {
    if (count == 0) return;
    if (first > prefix_) return insert(first, first + count);
    prefix_ = std::max(prefix_, first + count);
    while (!ranges_.empty() && ranges_.front().first <= prefix_) {
      prefix_ = std::max(prefix_, ranges_.front().end);
      ranges_.erase(ranges_.begin());
    }
  }
  // Messages in all.
  std::uint32_t count() const noexcept {
    std::uint32_t sum = prefix_;
    for (const Range& range : ranges_) sum += range.end - range.first;
    return sum;
  }
  bool contains(std::uint32_t index) const noexcept {
    return index < prefix_ || std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& range) {
             return range.first <= index && index < range.end;
           });
  }
  // Keeps the memory.
  void clear() noexcept {
    prefix_ = 0;
    ranges_.clear();
  }

 private:
  struct Range {
    std::uint32_t first, end;
  };
  void insert(std::uint32_t first, std::uint32_t end) {
    std::size_t index = 0;
    while (index < ranges_.size() && ranges_[index].end < first) ++index;
    while (index < ranges_.size() && ranges_[index].first <= end) {
      first = std::min(first, ranges_[index].first);
      end = std::max(end, ranges_[index].end);
      ranges_.erase(ranges_.begin() + static_cast<std::ptrdiff_t>(index));
    }
    ranges_.insert(ranges_.begin() + static_cast<std::ptrdiff_t>(index), Range{first, end});
  }

  std::uint32_t prefix_ = 0;
  std::vector<Range> ranges_;  // sorted, apart from each other, behind the prefix
};

}  // namespace abuzz::delivery
