#include "tools/command_line.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

namespace abuzz::tools {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array<Unit, 6> duration_units{
    {{"ns", 1.0}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}, {"h", 3600e9}}};
constexpr std::array<Unit, 8> byte_units{{{"", 1.0},
                                          {"B", 1.0},
                                          {"KiB", 1024.0},
                                          {"MiB", 1048576.0},
                                          {"GiB", 1073741824.0},
                                          {"kB", 1e3},
                                          {"MB", 1e6},
                                          {"GB", 1e9}}};
constexpr std::array<Unit, 3> rate_units{{{"", 1.0}, {"k", 1e3}, {"M", 1e6}}};

// A plain decimal number (no sign, no exponent, no "inf") at the front of `text`, which is cut off.
std::optional<double> take_number(std::string_view& text) {
  const std::size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
  if (end == 0 || text.front() == '.') return std::nullopt;
  double number = 0;
  const auto [rest, fault] = std::from_chars(text.data(), text.data() + end, number);
  if (fault != std::errc() || rest != text.data() + end) return std::nullopt;
  text.remove_prefix(end);
  return number;
}

template <std::size_t N>
std::optional<double> parse_with_unit(std::string_view text, const std::array<Unit, N>& units) {
  const std::optional<double> number = take_number(text);
  if (!number) return std::nullopt;
  for (const Unit& unit : units) {
    if (unit.name == text) return *number * unit.factor;
  }
  return std::nullopt;
}

std::string shorten(double number, std::string_view unit) {
  std::array<char, 32> digits{};
  std::snprintf(digits.data(), digits.size(), number < 9.95 ? "%.1f" : "%.0f", number);
  std::string text = digits.data();
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text.append(unit);
}

// Letters that must be added, removed, replaced or swapped with their neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

bool is_shared_with_value(std::string_view word) {
  return word == "--config" || word == "--set";
}

bool is_shared(std::string_view word) {
  return is_shared_with_value(word) || word == "--json" || word.starts_with("--config=") ||
         word.starts_with("--set=");
}

}  // namespace

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  if (text == "0") return std::chrono::nanoseconds(0);
  const std::optional<double> ns = parse_with_unit(text, duration_units);
  if (!ns || *ns > 1e17) return std::nullopt;  // three years; also keeps the cast defined
  return std::chrono::nanoseconds(std::llround(*ns));
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  const std::optional<double> bytes = parse_with_unit(text, byte_units);
  if (!bytes || *bytes > 1e15) return std::nullopt;
  return static_cast<std::uint64_t>(std::llround(*bytes));
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t count = 0;
  bool after_digit = false;
  for (const char c : text) {
    if (c == '_' && after_digit) {
      after_digit = false;
      continue;
    }
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (count > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) return std::nullopt;
    count = count * 10 + digit;
    after_digit = true;
  }
  if (!after_digit) return std::nullopt;
  return count;
}

std::optional<double> parse_rate(std::string_view text) {
  const std::optional<double> rate = parse_with_unit(text, rate_units);
  if (!rate || *rate < 1e-6 || *rate > 1e9) return std::nullopt;
  return rate;
}

std::string format_duration(std::chrono::nanoseconds span) {
  const auto ns = static_cast<double>(span.count());
  if (ns == 0) return "0";
  if (ns < 1e3) return shorten(ns, "ns");
  if (ns < 1e6) return shorten(ns / 1e3, "us");
  if (ns < 1e9) return shorten(ns / 1e6, "ms");
  if (ns < 60e9) return shorten(ns / 1e9, "s");
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span).count();
  const auto two = [](long long big, const char* unit, long long small, const char* part) {
    std::string text = std::to_string(big) + unit;
    if (small != 0) text += " " + std::to_string(small) + part;
    return text;
  };
  if (seconds < 3600) return two(seconds / 60, "min", seconds % 60, "s");
  if (seconds < 86'400) return two(seconds / 3600, "h", seconds / 60 % 60, "min");
  return two(seconds / 86'400, "d", seconds / 3600 % 24, "h");
}

std::string format_bytes(std::uint64_t bytes) {
  const auto number = static_cast<double>(bytes);
  if (bytes < 1024) return std::to_string(bytes) + " B";
  if (number < 1048576.0) return shorten(number / 1024.0, " KiB");
  if (number < 1073741824.0) return shorten(number / 1048576.0, " MiB");
  return shorten(number / 1073741824.0, " GiB");
}

std::string format_count(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t place = digits.size(); place > 3;) {
    place -= 3;
    digits.insert(place, 1, ',');
  }
  return digits;
}

std::string format_plural(std::uint64_t count, std::string_view one, std::string_view many) {
  return format_count(count).append(" ").append(count == 1 ? one : many);
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  std::string_view best;
  std::size_t best_distance = std::numeric_limits<std::size_t>::max();
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    const std::size_t allowed =
        std::max<std::size_t>(1, std::max(word.size(), candidate.size()) / 3);
    if (distance <= allowed && distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

VerbLine split_verb(const std::vector<std::string>& words) {
  VerbLine line;
  std::size_t at = 0;
  while (at < words.size() && is_shared(words[at])) {
    const bool takes_next = is_shared_with_value(words[at]);
    line.words.push_back(words[at++]);
    if (takes_next && at < words.size()) line.words.push_back(words[at++]);
  }
  if (at < words.size()) line.verb = words[at++];
  line.words.insert(line.words.end(), words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
  return line;
}

}  // namespace abuzz::tools
