#include "agents/words.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace abuzz::demo {
namespace {

constexpr std::size_t word_bytes_max = 64;

// The byte as it stands in a word, or 0 between words.
constexpr char letter(char byte) noexcept {
  const auto value = static_cast<unsigned char>(byte);
  if (value >= 'A' && value <= 'Z') return static_cast<char>(value - 'A' + 'a');
  return (value >= 'a' && value <= 'z') || value >= 0x80 ? byte : '\0';
}

}  // namespace

void Words::add(std::string_view text) {
  std::array<char, word_bytes_max> word;
  std::size_t bytes = 0;
  const auto end_word = [&] {
    if (bytes != 0 && bytes <= word_bytes_max) add_word({word.data(), bytes}, 1);
    bytes = 0;
  };
  for (const char byte : text) {
    const char next = letter(byte);
    if (next == '\0') {
      end_word();
      continue;
    }
    if (bytes < word_bytes_max) word[bytes] = next;
    ++bytes;
  }
  end_word();
}

void Words::clear() noexcept {
  counts_.clear();
  total_ = 0;
}

void Words::add_word(std::string_view word, std::uint64_t count) {
  total_ += count;
  const auto found = counts_.find(word);
  if (found != counts_.end()) {
    found->second += count;
  } else {
    counts_.emplace(word, count);
  }
}

bool Words::merge(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t space = text.find(' ');
    if (end == text.npos || space >= end || space + 1 == end) return false;
    std::uint64_t count = 0;
    const auto [rest, fault] = std::from_chars(text.data(), text.data() + space, count);
    if (fault != std::errc{} || rest != text.data() + space) return false;
    add_word(text.substr(space + 1, end - space - 1), count);
    text.remove_prefix(end + 1);
  }
  return true;
}

void Words::encode(std::size_t bytes_max, const std::function<bool(std::string_view)>& take) const {
  std::string piece;
  for (const auto& [word, count] : counts_) {
    std::string line = std::to_string(count);
    line += ' ';
    line += word;
    line += '\n';
    if (piece.size() + line.size() > bytes_max) {
      if (!take(piece)) return;
      piece.clear();
    }
    piece += line;
  }
  if (!piece.empty()) take(piece);
}

std::vector<std::pair<std::string, std::uint64_t>> Words::top(std::size_t count) const {
  std::vector<std::pair<std::string, std::uint64_t>> all(counts_.begin(), counts_.end());
  const auto kept = static_cast<std::ptrdiff_t>(std::min(count, all.size()));
  std::partial_sort(all.begin(), all.begin() + kept, all.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  all.resize(static_cast<std::size_t>(kept));
  return all;
}

}  // namespace abuzz::demo
