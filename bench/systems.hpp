#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "bench/driver.hpp"
#include "bench/role.hpp"

// The systems that can be measured. Another one is a file in peers/ with its driver and a row in
// systems.cpp. Nothing of bus/ stands here.

namespace abuzz::bench {

// Runs the server of a run until it is told to stop: a relay in this process, or a child of it.
// Says ready with the endpoint that clients are to use. False when it failed and said so.
using HubMain = bool (*)(const RoleOptions& options, RoleChannel& channel);

struct System {
  const char* name;
  const char* route;    // what a message passes, for people
  const char* waiting;  // how its processes wait, for people
  HubMain hub;          // nullptr: its processes talk to each other directly
  std::unique_ptr<Driver> (*make_driver)(const RoleOptions& options);
  // Whether several sinks may each get everything, and several sources send to one sink.
  bool has_fanout = true;
  bool has_fanin = true;
  // Whether it has requests with replies, and groups whose members acknowledge.
  bool has_request = false;
  bool has_queue = false;
  bool counts_drops = false;  // its hub says what the system dropped by itself
  // A process of many logical agents (heritage.hpp); nullptr: there are none.
  HubMain crowd = nullptr;
  HubMain lockstep = nullptr;  // everything in one process, for counting (cost.hpp)
  // What of it was measured: "redis-server 7.0.15, hiredis 1.0.3". nullptr: nothing of its own.
  std::string (*versions)() = nullptr;
};

// All that were built in.
std::span<const System* const> all_systems() noexcept;
// nullptr when there is none of that name in this build.
const System* find_system(std::string_view name) noexcept;
// Of one that exists but was not built in: the Debian packages that it needs; empty for a stranger.
std::string_view packages_of(std::string_view name) noexcept;
// "abuzz, zmq, zmq-direct", for help and complaints.
std::string system_names();

extern const System abuzz_system;

}  // namespace abuzz::bench
