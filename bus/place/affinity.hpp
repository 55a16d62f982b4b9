#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace abuzz::place {

// Processors by the kernel's numbers, ascending.
using Processors = std::vector<std::uint32_t>;

// The mask of a thread (0: the calling one). Empty when the kernel does not tell. Works with more
// processors than a cpu_set_t holds.
Processors read_affinity(pid_t thread = 0);

// Asks the kernel to run a thread on `processors` only. Answers 0 or errno: EINVAL when none of
// them may be used. The kernel may cut the mask to what the cpuset allows, so read it back.
int set_affinity(const Processors& processors, pid_t thread = 0) noexcept;

// "0-3,8": as the kernel writes it.
std::string processors_text(const Processors& processors);

}  // namespace abuzz::place
