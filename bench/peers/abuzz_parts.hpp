#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "bench/driver.hpp"
#include "bench/role.hpp"
#include "bus/agent.hpp"

// What the processes of Abuzz share. Abuzz is used as a user would: public headers, and the config
// of the environment, in which `abuzz bench` leaves what --set, --profile and --link say.

namespace abuzz::bench {

inline constexpr std::chrono::seconds abuzz_patience{10};

// Only the runtime directory is the run's own.
Result<Config> abuzz_config(const RoleOptions& options);
// "publisher-0", connected.
Result<Agent> abuzz_agent(const RoleOptions& options);

// Asks by request, or replies.
std::unique_ptr<Driver> make_abuzz_request_driver(const RoleOptions& options);
// Plays a process of the scenario heritage.
bool run_abuzz_crowd(const RoleOptions& options, RoleChannel& channel);
// Plays node, publisher and subscriber at once, for who counts what a message costs.
bool run_abuzz_lockstep(const RoleOptions& options, RoleChannel& channel);
// Plays the node.
bool run_abuzz_hub(const RoleOptions& options, RoleChannel& channel);

}  // namespace abuzz::bench
