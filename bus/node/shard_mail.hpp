#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/delivery/left_behind.hpp"
#include "bus/link/link.hpp"
#include "bus/node/presence_event.hpp"

// What reception (the door's thread) and a shard tell each other, through intakes.

namespace abuzz::node {

// The node's own number for one link of one agent; never reused while the node runs. It is also the
// link's PeerId on the shard's hub.
using SessionId = std::uint64_t;

// The node's own id among agents, in this life: agents count from 1.
constexpr std::uint64_t own_agent_id(std::uint32_t node_epoch) noexcept {
  return std::uint64_t{node_epoch} << 32u;
}

// Reception -> shard.
struct ShardOrder {
  enum class Kind : std::uint8_t {
    none,
    admit,    // expect this link; answered by `admitted`, upon which the welcome is sent
    expect,   // as admit, for an agent that is there: it moves here once this link is up
    dismiss,  // the session is over: the agent is gone, or its link must go
    beat,     // what its beat says about the agent
    sample,   // say what was done since the last one: `load` for each agent, then `sampled`
    drain,    // refuse new messages and subscriptions; deliver what is queued
    stop,     // as drain, and say goodbye to everyone
  };
  Kind kind = Kind::none;
  SessionId session = 0;
  // expect: why
  std::string reason;
  // admit, expect: the first three, and the name
  std::uint64_t agent_id = 0;
  std::uint32_t session_epoch = 0;
  std::uint32_t pid = 0;
  std::uint64_t start_ticks = 0;
  link::Secret secret{};
  std::string name;
  std::string agent_kind, description;
  // dismiss: whether the agent itself is gone (else it may come back with a new session), and what
  // it had published then
  bool agent_gone = false;
  std::vector<delivery::LeftBehind> left_behind;
  PresenceCause cause = PresenceCause::goodbye;
  // stop: goodbye is said when everything is settled, or then
  base::Nanos goodbye_at = 0;
  // beat: when it was last seen to change, and whether that is recent enough
  base::Nanos beat_seen = 0;
  bool is_responsive = true;
};

// Shard -> reception.
struct ShardReport {
  enum class Kind : std::uint8_t {
    none,
    admitted,    // the hub knows the secret: an agent that is quick cannot be taken for a stranger
    attached,    // the link of the session is up
    strike,      // a frame of its was refused
    struck_out,  // three strikes: hang up on it
    link_lost,   // its link has lost frames: it must come back with another one
    goodbye,     // the agent said goodbye and everything it sent was processed
    drained,     // nothing is queued any more (after drain or stop)
    busy,        // something is going on: it may be worth while to sample
    load,        // since the last sample: the session's `work`
    sampled,     // since the last sample: `busy_ns` and `waited_ns` of the shard
  };
  Kind kind = Kind::none;
  SessionId session = 0;
  const char* fault = "";  // strike: what was wrong; static
  std::uint64_t work = 0;  // in nanoseconds, roughly
  std::uint64_t busy_ns = 0, waited_ns = 0;
};

}  // namespace abuzz::node
