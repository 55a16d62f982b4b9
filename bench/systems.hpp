#pragma once

#include <string_view>

#include "bench/role.hpp"

// The systems that can be measured. Another one is a file with its roles and a row in systems.cpp.
// Nothing of bus/ stands here.

namespace abuzz::bench {

// Plays a role to its end; false when it failed and said so on the channel.
using RoleMain = bool (*)(const RoleOptions& options, RoleChannel& channel);

struct System {
  const char* name;
  const char* route;    // what a message passes, for people
  const char* waiting;  // how its processes wait, for people
  // Hub: relays; reports "done" after "stop".
  RoleMain hub;
  // pubsub: one source, one sink that checks everything.
  RoleMain publisher, subscriber;
  // pingpong: the pinger keeps one message in flight, the ponger sends each back.
  RoleMain pinger, ponger;
};

// nullptr when there is none.
const System* find_system(std::string_view name) noexcept;
RoleMain find_role(const System& system, std::string_view role) noexcept;

extern const System abuzz_system;
extern const System zmq_system;

// "libzmq 4.3.4"
const char* zmq_library() noexcept;

}  // namespace abuzz::bench
