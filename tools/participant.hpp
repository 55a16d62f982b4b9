#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "bus/agent.hpp"
#include "tools/signals.hpp"

// What every verb that takes part in the bus does first.

namespace abuzz::tools {

// The exit code after a complaint, or nothing when it may be used.
std::optional<int> refuse_topic(const std::string& topic);
std::optional<int> refuse_pattern(const std::string& pattern);
std::optional<int> refuse_name(const std::string& name);  // empty: one is made up

// Agent::connect, during which a signal ends the process: nothing was published yet. `patience`:
// what the user allows the verb; it bounds this wait, too, but for the time that a node may need.
Result<Agent> connect_agent(Signals& signals, const AgentOptions& options, const Config& config,
                            std::chrono::nanoseconds patience = std::chrono::nanoseconds::max());

}  // namespace abuzz::tools
