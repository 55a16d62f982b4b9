#pragma once

#include <cstdint>
#include <string>

namespace abuzz::delivery {

// What an agent that is gone had published on one publication, by its own counters. What of it the
// node never took died with the agent.
struct LeftBehind {
  std::uint32_t publisher_id = 0;
  std::uint32_t publisher_epoch = 0;
  std::string topic;
  std::uint64_t pushed = 0;  // messages that publish answered `queued`
  std::uint64_t sealed = 0;  // of them, those that may have been on the link
};

}  // namespace abuzz::delivery
