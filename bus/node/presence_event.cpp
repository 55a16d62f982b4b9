#include "bus/node/presence_event.hpp"

#include <array>
#include <cstddef>

#include "bus/base/json_text.hpp"

namespace abuzz::node {
namespace {

constexpr std::array<const char*, 18> cause_names{
    "arrived",    "returned", "attached",   "backlog",   "caught_up",     "no_beat",
    "beat",       "closing",  "goodbye",    "hung_up",   "process_ended", "lifeless",
    "struck_out", "late",     "node_stops", "link_lost", "no_progress",   "progress"};
static_assert(cause_names.size() == static_cast<std::size_t>(PresenceCause::progress) + 1);

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
  using base::append_fact, base::append_number, base::append_text;
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
