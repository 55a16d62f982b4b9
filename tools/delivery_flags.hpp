#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "bus/options.hpp"

// The flags that say how messages are delivered: what a text means, or what is wrong with it. Each
// reader answers an empty text when it has written its target.

namespace abuzz::tools {

// "lossless", "lossless:10s", "latest:16", "drop_old" or "drop_new".
std::string read_policy(std::string_view text, SubscribeOptions& options);
// "high", "normal" or "bulk".
std::string read_lane(std::string_view text, Lane& lane);
// A number from 1 is the key itself. Another text becomes one by its hash (64-bit FNV-1a), so that
// whoever says the same text means the same key.
std::string read_key(std::string_view text, std::uint64_t& key);
// From 1ms to 24 days.
std::string read_time_to_live(std::string_view text, std::chrono::milliseconds& time_to_live);
// Of a group: "least_outstanding", "round_robin" or "sticky".
std::string read_mode(std::string_view text, SubscribeOptions& options);

}  // namespace abuzz::tools
