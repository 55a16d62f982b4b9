#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bus/base/units.hpp"
#include "bus/delivery/failure_log.hpp"

namespace abuzz::delivery {

// What is told of a message that no member of a group could handle: schema/wire.md, "Dead
// letters".
struct DeadLetter {
  std::uint64_t id = 0;  // of this node's life, from 1
  std::string_view topic, group, pattern;
  std::string_view publisher;  // name of the agent; empty: it is gone
  std::uint64_t agent_id = 0;  // of the publisher
  std::uint32_t publisher_id = 0;
  std::uint64_t sequence = 0, key = 0, correlation = 0;
  std::uint32_t attempts = 0;
  std::uint64_t failure = 0;  // the last of the log
  std::string_view payload;
  base::Nanos now = 0, wall_now = 0;
};

// Payloads are told up to here.
inline constexpr std::size_t dead_payload_bytes_max = 256 * base::kib;

std::string dead_topic(std::string_view topic);
std::string write_dead_letter(const DeadLetter& letter, const FailureLog& log);

}  // namespace abuzz::delivery
