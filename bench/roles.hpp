#pragma once

#include "bench/role.hpp"
#include "bench/systems.hpp"

namespace abuzz::bench {

// What the processes of a run do, the same for every system. Each plays its role to the end; false
// when it failed and said so on the channel, or when the conversation ended.
using RoleMain = bool (*)(Driver& driver, const RoleOptions& options, RoleChannel& channel);

// "publisher", "subscriber", "pinger" or "ponger"; nullptr for none of them.
RoleMain find_role(std::string_view role) noexcept;

}  // namespace abuzz::bench
