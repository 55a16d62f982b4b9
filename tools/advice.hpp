#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "bus/placement.hpp"
#include "bus/stats.hpp"
#include "tools/json_writer.hpp"

// Who talks to whom through a node, how, and where they belong: what `abuzz topo --advise` says.
// Pure functions of two looks at the node's counters.

namespace abuzz::tools {

// What went from one agent to another between the looks.
struct Talk {
  std::string from, to;  // agents; a group with its name
  double messages_a_second = 0;
  double messages_a_batch = 0;
};

struct Advice {
  enum class Kind : std::uint8_t {
    exchange,  // single messages, both ways
    stream,    // many at once, or one way
  };
  Kind kind = Kind::stream;
  std::string left, right;
  double messages_a_second = 0;  // of the busier direction
  double messages_a_batch = 0;
  bool belongs_together = false;
  std::string reason;
};

// By traffic, the most first; what is hardly anything is left out.
std::vector<Talk> find_talks(const StatsSnapshot& before, const StatsSnapshot& after,
                             std::chrono::nanoseconds span);
std::vector<Advice> advise(const std::vector<Talk>& talks, const MeetingMeasures& measures);

// `meeting`: ProcessCounter::meeting of the node.
std::string advice_text(const std::vector<Advice>& advices, const MeetingMeasures& measures,
                        std::uint64_t meeting);
void write_advice(JsonWriter& json, const std::vector<Advice>& advices,
                  const MeetingMeasures& measures, std::uint64_t meeting);

}  // namespace abuzz::tools
