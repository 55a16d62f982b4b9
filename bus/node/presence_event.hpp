#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bus/base/units.hpp"
#include "bus/stats.hpp"

namespace abuzz::node {

// Why an agent's state changed. The names are part of the events (schema/wire.md): append only.
enum class PresenceCause : std::uint8_t {
  arrived,        // it was let in, for the first time
  returned,       // it was let in again: after a lost link, or by the next node
  attached,       // its link is up
  backlog,        // it has been behind with its deliveries for a while
  caught_up,      // it has not been for a while
  no_beat,        // no sign of life for node.stalled_after
  beat,           // a sign of life
  closing,        // it said that it will leave
  goodbye,        // it left
  hung_up,        // its door closed without a goodbye: it was killed, or it crashed
  process_ended,  // its process has ended; a child that it forked holds the door
  lifeless,       // no sign of life for node.gone_after
  struck_out,     // three bad frames
  late,           // it did not finish its handshake
  node_stops,     // it had to look for the next node
  link_lost,      // its link lost frames, and it did not come back
  no_progress,    // it has handled none of its deliveries for node.stalled_after
  progress,       // it handles them again
};
const char* presence_cause_name(PresenceCause cause) noexcept;

// What is known of an agent. Each fact has one observer, and says nothing about the others.
struct AgentFacts {
  bool is_alive = true;        // reception: its process and its door
  bool is_attached = false;    // the hub: its link
  bool is_responsive = true;   // reception: its beat
  bool is_leaving = false;     // the agent says so itself
  bool is_busy = false;        // the switch: it has been behind with its deliveries for a while
  bool is_progressing = true;  // the switch: it handled some lately, or has none to handle
};

struct AgentIdentity {
  std::uint64_t id = 0;
  std::uint32_t pid = 0;
  std::string name, kind, description;
};

struct PresenceEvent {
  const AgentIdentity& agent;
  PeerState state = PeerState::none;
  PresenceCause cause = PresenceCause::arrived;
  AgentFacts facts;
  std::uint32_t node_epoch = 0;
  base::Nanos wall_now = 0;
};
std::string presence_topic(std::string_view agent_name, PeerState state);
// One line of JSON, as schema/wire.md has it: always valid, whatever an agent calls itself.
std::string write_presence_event(const PresenceEvent& event);

}  // namespace abuzz::node
