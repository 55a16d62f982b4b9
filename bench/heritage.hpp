#pragma once

#include <cstdint>
#include <span>
#include <string_view>

// The seven load scenarios that two agent projects describe for their messaging. Here each message
// goes from one process to another one and is verified there, and processes and logical agents are
// two numbers. Nothing of bus/ stands here.

namespace abuzz::bench {

struct HeritageLoad {
  const char* name;
  unsigned agents;
  unsigned messages;  // each from one agent to another one, in another process
  unsigned tasks;     // each to any one of the agents, which acknowledges it
  std::int64_t duration_ns;
};
std::span<const HeritageLoad> heritage_loads() noexcept;
// nullptr for none.
const HeritageLoad* find_heritage_load(std::string_view name) noexcept;

// The agents of each load live in so many processes, each of which has one link.
inline constexpr unsigned heritage_processes = 8;

// Floors to pass, beside "nothing is unaccounted for".
inline constexpr double heritage_p95_us_max = 1000;

// What one process of a load does.
struct HeritagePart {
  unsigned first_agent = 0, agents = 0;   // those that live in it
  std::uint64_t messages = 0, tasks = 0;  // that it sends
};
HeritagePart heritage_part(const HeritageLoad& load, unsigned process) noexcept;

// Agent number `agent` of the load sends to this one, which has no other sender; and back.
unsigned heritage_target(const HeritageLoad& load, unsigned agent) noexcept;
unsigned heritage_sender(const HeritageLoad& load, unsigned agent) noexcept;
// How many messages it sends there.
std::uint64_t heritage_messages_of(const HeritageLoad& load, unsigned agent) noexcept;

}  // namespace abuzz::bench
