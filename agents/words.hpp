#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace abuzz::demo {

// How often each word was seen. A word is a run of ASCII letters, taken as lower case, and of bytes
// that belong to other characters in UTF-8; at most 64 bytes, what is longer is not a word.
class Words {
 public:
  void add(std::string_view text);
  void clear() noexcept;

  // What another one counted, as encode() wrote it; false if it is not that, or only in part.
  bool merge(std::string_view text);
  // Calls `take` with pieces of at most `bytes_max` that together are everything counted.
  void encode(std::size_t bytes_max, const std::function<bool(std::string_view)>& take) const;

  std::uint64_t total() const noexcept { return total_; }
  std::size_t distinct() const noexcept { return counts_.size(); }
  std::vector<std::pair<std::string, std::uint64_t>> top(std::size_t count) const;
  bool operator==(const Words& other) const { return counts_ == other.counts_; }

 private:
  // Lets a look-up use the word where it stands instead of a copy.
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view word) const noexcept {
      return std::hash<std::string_view>{}(word);
    }
  };
  void add_word(std::string_view word, std::uint64_t count);

  std::unordered_map<std::string, std::uint64_t, Hash, std::equal_to<>> counts_;
  std::uint64_t total_ = 0;
};

}  // namespace abuzz::demo
