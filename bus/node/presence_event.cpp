#include "bus/node/presence_event.hpp"

#include <array>
#include <cstddef>

namespace abuzz::node {
namespace {

constexpr std::array<const char*, 16> cause_names{
    "arrived",    "returned", "attached",   "backlog",  "caught_up",     "no_beat",
    "beat",       "closing",  "goodbye",    "hung_up",  "process_ended", "lifeless",
    "struck_out", "late",     "node_stops", "link_lost"};
static_assert(cause_names.size() == static_cast<std::size_t>(PresenceCause::link_lost) + 1);

unsigned octet(char c) noexcept {
  return static_cast<unsigned char>(c);
}

// Bytes of the UTF-8 sequence at the start of a text, 0 where there is none (RFC 3629: no overlong
// forms, no surrogates, nothing above U+10FFFF).
std::size_t sequence_bytes(std::string_view text) noexcept {
  const unsigned first = octet(text[0]);
  if (first < 0x80) return 1;
  const std::size_t count = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < count) return 0;
  const unsigned second = octet(text[1]);
  const unsigned least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (second < least || second > most) return 0;
  for (std::size_t index = 2; index < count; ++index)
    if ((octet(text[index]) & 0xC0u) != 0x80) return 0;
  return count;
}

// Control characters do not come here: the node has replaced them.
void append_text(std::string& json, const char* key, std::string_view text) {
  json.append(",\"").append(key).append("\":\"");
  while (!text.empty()) {
    const std::size_t count = sequence_bytes(text);
    if (text[0] == '"' || text[0] == '\\') json += '\\';
    json.append(count > 0 ? text.substr(0, count) : std::string_view("\xEF\xBF\xBD"));
    text.remove_prefix(count > 0 ? count : 1);
  }
  json += '"';
}

void append_number(std::string& json, const char* key, std::uint64_t value) {
  json.append(",\"").append(key).append("\":").append(std::to_string(value));
}

void append_fact(std::string& json, const char* key, bool value) {
  json.append(",\"").append(key).append(value ? "\":true" : "\":false");
}

}  // namespace

const char* presence_cause_name(PresenceCause cause) noexcept {
  return cause_names[static_cast<std::size_t>(cause)];
}

std::string presence_topic(std::string_view agent_name, PeerState state) {
  std::string topic = "$agents.";
  topic.append(agent_name).append(".").append(peer_state_name(state));
  return topic;
}

std::string write_presence_event(const PresenceEvent& event) {
  std::string json = "{\"v\":1";
  append_text(json, "name", event.agent.name);
  append_number(json, "id", event.agent.id);
  append_number(json, "pid", event.agent.pid);
  append_text(json, "kind", event.agent.kind);
  append_text(json, "description", event.agent.description);
  append_text(json, "state", peer_state_name(event.state));
  append_text(json, "cause", presence_cause_name(event.cause));
  append_fact(json, "alive", event.facts.is_alive);
  append_fact(json, "responsive", event.facts.is_responsive);
  append_fact(json, "progressing", event.facts.is_progressing);
  append_number(json, "node_epoch", event.node_epoch);
  append_number(json, "time_ms", static_cast<std::uint64_t>(event.wall_now / base::millisecond));
  return json + "}";
}

}  // namespace abuzz::node
