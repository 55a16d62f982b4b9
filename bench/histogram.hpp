#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace abuzz::bench {

// Counts durations in buckets that are at most 1/1024 of their value wide (three significant
// digits), from 1 ns to 73 minutes; what is longer counts as that, but max() is exact.
//
// Cost: 264 KiB, allocated once; record is a shift and an increment. One thread.
class Histogram {
 public:
  Histogram() : counts_(bucket_count) {}

  void record(std::int64_t value_ns) noexcept {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(value_ns, 0));
    ++counts_[index_of(std::min(value, value_max))];
    max_ = std::max(max_, value);
    ++count_;
  }

  std::uint64_t count() const noexcept { return count_; }
  std::uint64_t max() const noexcept { return max_; }
  // The buckets that hold something, ascending: visit(highest value of the bucket, count).
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t index = 0; index < counts_.size(); ++index)
      if (counts_[index] != 0) visit(std::min(highest_of(index), max_), counts_[index]);
  }
  // What another one counted.
  void add(std::uint64_t value, std::uint64_t count) noexcept {
    counts_[index_of(std::min(value, value_max))] += count;
    max_ = std::max(max_, value);
    count_ += count;
  }
  // The smallest recorded value (rounded up to its bucket's end) that `share` of all values do not
  // exceed; share 0.99 is p99. 0 when empty.
  std::uint64_t at(double share) const noexcept {
    const double wanted = share * static_cast<double>(count_);
    std::uint64_t seen = 0;
    for (std::size_t index = 0; index < counts_.size(); ++index) {
      seen += counts_[index];
      if (counts_[index] != 0 && static_cast<double>(seen) >= wanted) {
        return std::min(highest_of(index), max_);
      }
    }
    return max_;
  }

 private:
  static constexpr unsigned digit_bits = 11;  // values below 2048 are exact
  static constexpr unsigned value_bits = 42;
  static constexpr std::uint64_t value_max = (1ull << value_bits) - 1;
  static constexpr std::size_t half = 1u << (digit_bits - 1);
  static constexpr std::size_t bucket_count = (value_bits - digit_bits + 2) * half;

  // The top 11 bits of a value and the number of bits below them name its bucket.
  static std::size_t index_of(std::uint64_t value) noexcept {
    const auto width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > digit_bits ? width - digit_bits : 0;
    return shift * half + static_cast<std::size_t>(value >> shift);
  }
  static std::uint64_t highest_of(std::size_t index) noexcept {
    if (index < 2 * half) return index;
    const std::size_t shift = index / half - 1;
    return ((static_cast<std::uint64_t>(index - shift * half) + 1) << shift) - 1;
  }

  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace abuzz::bench
