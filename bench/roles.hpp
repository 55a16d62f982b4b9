#pragma once

#include "bench/role.hpp"
#include "bench/systems.hpp"
#include "bench/time.hpp"

namespace abuzz::bench {

// What the processes of a run do, the same for every system. Each plays its role to the end; false
// when it failed and said so on the channel, or when the conversation ended.
using RoleMain = bool (*)(Driver& driver, const RoleOptions& options, RoleChannel& channel);

bool run_publisher(Driver& driver, const RoleOptions& options, RoleChannel& channel);
// Gets and checks everything.
bool run_subscriber(Driver& driver, const RoleOptions& options, RoleChannel& channel);
// Gets and checks its share, until it is told to stop.
bool run_worker(Driver& driver, const RoleOptions& options, RoleChannel& channel);
// Takes 100 us for each message, until it is told to stop, wherever it is by then.
bool run_laggard(Driver& driver, const RoleOptions& options, RoleChannel& channel);
// Asks and measures; answers.
bool run_pinger(Driver& driver, const RoleOptions& options, RoleChannel& channel);
bool run_ponger(Driver& driver, const RoleOptions& options, RoleChannel& channel);

// nullptr for none of "publisher", "subscriber", "worker", "laggard", "pinger", "ponger",
// "requester", "responder". The last two are played as those before them, by another driver.
RoleMain find_role(std::string_view role) noexcept;

// Says what is wrong with the driver; false.
bool fail_role(Driver& driver, RoleChannel& channel);

inline constexpr std::int64_t look_ns = 100 * millisecond_ns;  // how often one that waits looks up

}  // namespace abuzz::bench
