#pragma once

#include <string_view>

namespace abuzz::tools {

// Whether this process was started by systemd or the like, which restarts it when it ends.
bool is_supervised();
// Tells the supervisor "READY=1" or "STOPPING=1" (the protocol of sd_notify); nothing without one.
void notify_supervisor(std::string_view state);

}  // namespace abuzz::tools
