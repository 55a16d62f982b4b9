#include "tools/near_topic.hpp"

#include <vector>

#include "bus/topic.hpp"
#include "tools/command_line.hpp"

namespace abuzz::tools {
namespace {

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> tokens;
  for (;;) {
    const std::size_t dot = text.find('.');
    tokens.push_back(text.substr(0, dot));
    if (dot == std::string_view::npos) return tokens;
    text.remove_prefix(dot + 1);
  }
}

std::string without(const std::vector<std::string_view>& tokens, std::size_t left_out) {
  std::string text;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i == left_out) continue;
    if (!text.empty()) text += '.';
    text += tokens[i];
  }
  return text;
}

// Wildcards alone are near to everything.
bool has_words(const std::vector<std::string_view>& tokens, std::size_t left_out) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i != left_out && tokens[i] != "*" && tokens[i] != ">") return true;
  }
  return false;
}

// Whether the pattern would match if one of its tokens were not there. What stands in front of a
// tail says what the tail is of: without it the rest would match far too much.
bool has_one_more(const std::vector<std::string_view>& pattern, std::string_view topic) {
  const std::size_t count = pattern.size();
  const bool has_tail = pattern.back() == ">";
  const auto matches_without = [&](std::size_t index) {
    return has_words(pattern, index) && matches(without(pattern, index), topic);
  };
  if (count < 2) return false;
  if (has_tail && matches_without(count - 1)) return true;
  for (std::size_t i = 0; i < count - (has_tail ? 2 : 0); ++i)
    if (matches_without(i)) return true;
  return false;
}

bool has_one_less(std::string_view pattern, const std::vector<std::string_view>& topic) {
  for (std::size_t i = 0; i < topic.size() && topic.size() > 1; ++i) {
    if (matches(pattern, without(topic, i))) return true;
  }
  return false;
}

}  // namespace

std::string near_miss(std::string_view pattern, std::string_view topic) {
  const std::vector<std::string_view> wanted = split(pattern), given = split(topic);
  if (has_one_more(wanted, topic)) return "one token more";
  if (has_words(wanted, wanted.size()) && has_one_less(pattern, given)) return "one token less";
  std::string difference;
  const bool has_tail = wanted.back() == ">";
  if (has_tail ? given.size() < wanted.size() : given.size() != wanted.size()) return {};
  for (std::size_t i = 0; i < wanted.size() - (has_tail ? 1 : 0); ++i) {
    if (wanted[i] == "*" || wanted[i] == given[i]) continue;
    const bool is_near = difference.empty() && !nearest(given[i], {wanted[i]}).empty();
    if (!is_near) return {};
    difference.append("`").append(wanted[i]).append("` is not `").append(given[i]).append("`");
  }
  return difference;
}

}  // namespace abuzz::tools
