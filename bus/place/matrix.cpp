#include <algorithm>
#include <cstdio>
#include <functional>

#include "bus/placement.hpp"

// What was measured, as text for people.

namespace abuzz {
namespace {

constexpr std::size_t cell_letters = 8;

std::string cell(const std::string& text) {
  return std::string(cell_letters - std::min(cell_letters, text.size()), ' ') + text;
}

std::string number(double value) {
  if (value <= 0) return cell("-");
  char text[32];
  std::snprintf(text, sizeof text, value < 9.95 ? "%.1f" : "%.0f", value);
  return cell(text);
}

std::string matrix(const std::string& title, const Measures& measures,
                   double Measures::Pair::*value) {
  std::vector<std::uint32_t> processors;
  for (const Measures::Pair& pair : measures.pairs) {
    processors.push_back(pair.left);
    processors.push_back(pair.right);
  }
  std::ranges::sort(processors);
  const auto doubles = std::ranges::unique(processors);
  processors.erase(doubles.begin(), doubles.end());
  if (processors.empty()) return {};
  std::string text = title + "\n" + cell("");
  for (const std::uint32_t column : processors) text += cell(std::to_string(column));
  for (const std::uint32_t row : processors) {
    text += "\n" + cell(std::to_string(row));
    for (const std::uint32_t column : processors) {
      const auto pair = std::ranges::find_if(measures.pairs, [&](const Measures::Pair& each) {
        return std::minmax(each.left, each.right) == std::minmax(row, column);
      });
      text += row == column ? cell("")
                            : number(pair == measures.pairs.end() ? 0 : std::invoke(value, *pair));
    }
  }
  return text + "\n";
}

}  // namespace

std::string measures_text(const Measures& measures) {
  std::string text = matrix("cache line there and back, ns, between processors", measures,
                            &Measures::Pair::line_ns);
  text +=
      matrix("wake-up there and back, us, between processors", measures, &Measures::Pair::wake_us);
  text += "the same on one processor, us " + number(measures.wake_same_us) + "\n";
  text += "a sleep of 100 us ends late by, us " + number(measures.timer_late_us) + ", at most" +
          number(measures.timer_late_most_us) + "\n";
  return text;
}

}  // namespace abuzz
