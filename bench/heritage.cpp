#include "bench/heritage.hpp"

#include "bench/time.hpp"

namespace abuzz::bench {
namespace {

constexpr std::int64_t short_ns = 2 * second_ns;

constexpr HeritageLoad loads[] = {
    {"baseline", 100, 500, 200, short_ns},
    {"high-concurrency", 1000, 5000, 2000, short_ns},
    {"peak", 5000, 25'000, 10'000, short_ns},
    {"ultra", 10'000, 50'000, 20'000, short_ns},
    {"sustained", 2000, 10'000, 5000, 60 * second_ns},
    {"communication-heavy", 500, 50'000, 1000, short_ns},
    {"task-heavy", 1000, 2000, 25'000, short_ns},
};

// The first of `all` that belongs to a part, where each has as many as may be evenly.
std::uint64_t begin_of(std::uint64_t all, unsigned part) noexcept {
  return all * part / heritage_processes;
}

// One more than fits a part evenly: so many agents further on begins another process, whatever the
// remainder does.
unsigned distance(const HeritageLoad& load) noexcept {
  return (load.agents + heritage_processes - 1) / heritage_processes;
}

}  // namespace

std::span<const HeritageLoad> heritage_loads() noexcept {
  return loads;
}

const HeritageLoad* find_heritage_load(std::string_view name) noexcept {
  for (const HeritageLoad& load : loads) {
    if (name == load.name) return &load;
  }
  return nullptr;
}

HeritagePart heritage_part(const HeritageLoad& load, unsigned process) noexcept {
  HeritagePart part;
  part.first_agent = static_cast<unsigned>(begin_of(load.agents, process));
  part.agents = static_cast<unsigned>(begin_of(load.agents, process + 1)) - part.first_agent;
  for (unsigned agent = 0; agent < part.agents; ++agent)
    part.messages += heritage_messages_of(load, part.first_agent + agent);
  part.tasks = begin_of(load.tasks, process + 1) - begin_of(load.tasks, process);
  return part;
}

unsigned heritage_target(const HeritageLoad& load, unsigned agent) noexcept {
  return (agent + distance(load)) % load.agents;
}

unsigned heritage_sender(const HeritageLoad& load, unsigned agent) noexcept {
  return (agent + load.agents - distance(load)) % load.agents;
}

std::uint64_t heritage_messages_of(const HeritageLoad& load, unsigned agent) noexcept {
  return load.messages / load.agents + (agent < load.messages % load.agents ? 1 : 0);
}

}  // namespace abuzz::bench
