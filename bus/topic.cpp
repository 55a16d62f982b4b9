#include "bus/topic.hpp"

#include <algorithm>
#include <array>

namespace abuzz {
namespace {

constexpr std::string_view reply_prefix = "$reply.";
constexpr std::string_view hex_digits = "0123456789abcdef";

constexpr std::array<bool, 256> make_token_characters() {
  std::array<bool, 256> table{};
  for (unsigned c = '0'; c <= '9'; ++c) table[c] = true;
  for (unsigned c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (unsigned c = 'a'; c <= 'z'; ++c) table[c] = true;
  table['_'] = true;
  table['-'] = true;
  return table;
}
constexpr std::array<bool, 256> token_characters = make_token_characters();

bool is_token_character(char c) noexcept {
  return token_characters[static_cast<unsigned char>(c)];
}

bool is_wildcard(char c) noexcept {
  return c == '*' || c == '>';
}

// One token, without its dots. `is_last` says that nothing follows it.
TopicFault check_token(std::string_view token, bool is_pattern, bool is_last) noexcept {
  if (token.empty()) return TopicFault::empty_token;
  if (is_pattern && token == "*") return TopicFault::none;
  if (is_pattern && token == ">") return is_last ? TopicFault::none : TopicFault::misplaced_tail;
  for (const char c : token) {
    if (is_token_character(c)) continue;
    return is_wildcard(c) ? TopicFault::wildcard : TopicFault::bad_character;
  }
  return TopicFault::none;
}

TopicFault check(std::string_view topic, bool is_pattern) noexcept {
  if (topic.empty()) return TopicFault::empty;
  const bool reserved = is_reserved(topic);
  if (topic.size() > (reserved ? reserved_topic_bytes_max : topic_bytes_max)) {
    return TopicFault::too_long;
  }
  const std::size_t tokens_max = reserved ? reserved_topic_tokens_max : topic_tokens_max;
  // The '$' only marks the topic; what follows it up to the dot is a token like any other, except
  // that it is never a wildcard: "$*" would otherwise be a reserved pattern without a name.
  std::string_view rest = reserved ? topic.substr(1) : topic;
  if (reserved && !rest.empty() && is_wildcard(rest.front())) return TopicFault::wildcard;
  for (std::size_t count = 1;; ++count) {
    if (count > tokens_max) return TopicFault::too_many_tokens;
    const std::size_t dot = rest.find('.');
    const bool is_last = dot == std::string_view::npos;
    const TopicFault fault = check_token(rest.substr(0, dot), is_pattern, is_last);
    if (fault != TopicFault::none || is_last) return fault;
    rest.remove_prefix(dot + 1);
  }
}

// For people: anything but control characters.
TopicFault check_text(std::string_view text, std::size_t bytes_max) noexcept {
  if (text.size() > bytes_max) return TopicFault::too_long;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 127) return TopicFault::bad_character;
  }
  return TopicFault::none;
}

}  // namespace

const char* topic_fault_text(TopicFault fault) noexcept {
  switch (fault) {
    case TopicFault::none:
      return "well formed";
    case TopicFault::empty:
      return "empty";
    case TopicFault::too_long:
      return "too long";
    case TopicFault::too_many_tokens:
      return "too many tokens";
    case TopicFault::empty_token:
      return "a token is empty";
    case TopicFault::bad_character:
      return "a character other than A-Z a-z 0-9 _ - in a token";
    case TopicFault::wildcard:
      return "a wildcard stands only in a pattern, as a whole token";
    case TopicFault::misplaced_tail:
      return "'>' stands only at the end";
  }
  return "unknown";
}

TopicFault check_topic(std::string_view topic) noexcept {
  return check(topic, false);
}

TopicFault check_pattern(std::string_view pattern) noexcept {
  return check(pattern, true);
}

TopicFault check_agent_kind(std::string_view kind) noexcept {
  return check_text(kind, agent_kind_bytes_max);
}

TopicFault check_agent_description(std::string_view description) noexcept {
  return check_text(description, agent_description_bytes_max);
}

TopicFault check_agent_name(std::string_view name) noexcept {
  if (name.empty()) return TopicFault::empty;
  if (name.size() > agent_name_bytes_max) return TopicFault::too_long;
  for (const char c : name) {
    if (!is_token_character(c)) return TopicFault::bad_character;
  }
  return TopicFault::none;
}

std::string_view write_reply_topic(std::uint64_t agent_id, char* topic) noexcept {
  char* const end = std::copy(reply_prefix.begin(), reply_prefix.end(), topic);
  for (unsigned digit = 0; digit < 16; ++digit)
    end[digit] = hex_digits[(agent_id >> (60 - 4 * digit)) & 15];
  return {topic, reply_topic_bytes};
}

std::uint64_t agent_of_reply_topic(std::string_view topic) noexcept {
  if (topic.size() != reply_topic_bytes || !topic.starts_with(reply_prefix)) return 0;
  std::uint64_t agent_id = 0;
  for (const char character : topic.substr(reply_prefix.size())) {
    const std::size_t value = hex_digits.find(character);
    if (value == std::string_view::npos) return 0;
    agent_id = agent_id << 4 | value;
  }
  return agent_id;
}

bool is_reply_topic(std::string_view topic) noexcept {
  return agent_of_reply_topic(topic) != 0;
}

// HOT: shard (on a route cache miss)
bool matches(std::string_view pattern, std::string_view topic) noexcept {
  if (pattern.empty() || topic.empty()) return false;
  if (is_wildcard(pattern.front()) && is_reserved(topic)) return false;
  const char* p = pattern.data();
  const char* const p_end = p + pattern.size();
  const char* t = topic.data();
  const char* const t_end = t + topic.size();
  // Each turn consumes one token of both; p and t stand at the beginning of one.
  while (p != p_end && t != t_end) {
    if (*p == '>') return true;
    if (*p == '*') {
      ++p;
      while (t != t_end && *t != '.') ++t;
    } else {
      while (p != p_end && t != t_end && *p == *t && *p != '.') ++p, ++t;
    }
    if (p == p_end || t == t_end) return p == p_end && t == t_end;
    if (*p != '.' || *t != '.') return false;
    ++p, ++t;
  }
  return false;
}

}  // namespace abuzz
