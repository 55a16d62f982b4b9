#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bus/error.hpp"
#include "bus/export.hpp"

// A topic is tokens of [A-Za-z0-9_-], joined by dots: at most 128 bytes and 8 tokens. Topics whose
// first character is '$' are reserved (160 bytes, 10 tokens). A pattern is a topic in which a token
// may be '*' (any one token) and the last may be '>' (one or more); a leading wildcard never
// matches a reserved topic. None of these functions allocates.

namespace abuzz {

inline constexpr std::size_t topic_bytes_max = 128;
inline constexpr std::size_t topic_tokens_max = 8;
inline constexpr std::size_t reserved_topic_bytes_max = 160;
inline constexpr std::size_t reserved_topic_tokens_max = 10;
inline constexpr std::size_t agent_name_bytes_max = 64;
inline constexpr std::size_t agent_kind_bytes_max = 32;
inline constexpr std::size_t agent_description_bytes_max = 128;

enum class TopicFault : std::uint8_t {
  none,
  empty,
  too_long,
  too_many_tokens,
  empty_token,
  bad_character,
  wildcard,
  misplaced_tail
};
ABUZZ_EXPORT const char* topic_fault_text(TopicFault fault) noexcept;

// Also true for reserved topics; is_reserved tells them apart.
ABUZZ_EXPORT TopicFault check_topic(std::string_view topic) noexcept;
ABUZZ_EXPORT TopicFault check_pattern(std::string_view pattern) noexcept;
ABUZZ_EXPORT TopicFault check_agent_name(std::string_view name) noexcept;  // one token, <= 64 bytes
// Free text without control characters, <= 32 bytes; may be empty.
ABUZZ_EXPORT TopicFault check_agent_kind(std::string_view kind) noexcept;
// The same, <= 128 bytes.
ABUZZ_EXPORT TopicFault check_agent_description(std::string_view description) noexcept;
constexpr bool is_reserved(std::string_view topic) noexcept {
  return !topic.empty() && topic.front() == '$';
}
// Reserved topics that agents may subscribe to: what nodes tell about agents.
constexpr bool is_about_agents(std::string_view pattern) noexcept {
  return pattern.starts_with("$agents") && (pattern.size() == 7 || pattern[7] == '.');
}
// Where requests on a topic go, and what responders to a pattern subscribe to: `$request.` and the
// topic or pattern. So nobody else hears requests, and nobody who only listens is taken for one who
// replies.
inline constexpr std::string_view request_prefix = "$request.";
constexpr bool is_about_requests(std::string_view pattern) noexcept {
  return pattern.starts_with(request_prefix);
}
// `$reply.` and 16 hexadecimal digits, the id of an agent: where replies to its requests go. Any
// agent may publish there; that agent alone may subscribe, to exactly its own.
ABUZZ_EXPORT bool is_reply_topic(std::string_view topic) noexcept;
inline constexpr std::size_t reply_topic_bytes = 23;
// Requires: `topic` has room for reply_topic_bytes.
ABUZZ_EXPORT std::string_view write_reply_topic(std::uint64_t agent_id, char* topic) noexcept;
// The agent of a reply topic; 0 when it is none.
ABUZZ_EXPORT std::uint64_t agent_of_reply_topic(std::string_view topic) noexcept;
// What nodes tell on reserved topics: of agents, and of messages that no group could handle. Agents
// may subscribe to it.
constexpr bool is_told_by_nodes(std::string_view pattern) noexcept {
  return is_about_agents(pattern) ||
         (pattern.starts_with("$dead") && (pattern.size() == 5 || pattern[5] == '.'));
}
// Requires: both were checked.
ABUZZ_EXPORT bool matches(std::string_view pattern, std::string_view topic) noexcept;

}  // namespace abuzz
