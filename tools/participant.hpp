#pragma once

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

// Agent::connect, during which a signal ends the process: nothing was published yet.
Result<Agent> connect_agent(Signals& signals, const AgentOptions& options, const Config& config);

}  // namespace abuzz::tools
