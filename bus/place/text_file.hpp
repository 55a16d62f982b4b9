#pragma once

#include <string>

namespace abuzz::place {

// What a file of /proc or /sys says, at most 64 KiB of it; empty when it cannot be read. Those
// files belong to root and have no size, so that base::read_small_file does not take them.
std::string read_text(const std::string& path);

}  // namespace abuzz::place
