#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "bus/config.hpp"
#include "bus/error.hpp"
#include "bus/node/guest_list.hpp"
#include "bus/node/state_file.hpp"
#include "bus/wire/control.hpp"

namespace abuzz::node {

// What a hello asks for, once it was found good.
struct Admission {
  wire::DoorHello hello;  // the name is filled in, the texts fit to print
  std::uint8_t version = 0;
  std::uint64_t agent_id = 0;
  std::uint32_t session_epoch = 0;
  bool is_new_agent = false;
  SessionId supersedes = 0;  // an older session of the same agent, which must end first; 0: none
};

// The name of an agent that gave none: both sides derive it from the id.
std::string made_up_name(std::uint64_t agent_id);

// Decides about one hello; changes nothing. `agent_id_next` is for a new agent; a later one is
// taken where the name made from it is in use.
//
// Refusals: bad_frame, version_mismatch, bad_agent_name, agent_name_taken, links_limit,
// agents_limit, and denied for a token that is not the agent's, or for a session that is not newer
// than the live one.
Result<Admission> judge_hello(std::span<const std::byte> datagram, const GuestList& guests,
                              const Config& config, const NodeIdentity& identity,
                              std::uint64_t agent_id_next);

}  // namespace abuzz::node
