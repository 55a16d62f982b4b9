#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// tidy: the verb reads what its own agents report.
#include "agents/team_talk.hpp"

namespace abuzz::tools {

// What the agents of a demo reported, put together.
struct DemoOutcome {
  std::string run;
  std::size_t files = 0;
  std::uint64_t skipped = 0;
  demo::Report reader, collector;
  std::vector<demo::Report> indexers;

  std::uint64_t lines() const;     // that the reader published
  std::uint64_t messages() const;  // lines and counts
  std::uint64_t batches() const;
  // Every way in which a message can be missing, seen from both ends of each stream.
  std::uint64_t lost() const;
  bool is_equal() const;   // to the count by one process
  double seconds() const;  // from the first line published to the last count merged
  double rate() const;     // messages a second
};

std::string table_of(const DemoOutcome& outcome, bool colour);
std::string json_of(const DemoOutcome& outcome);

}  // namespace abuzz::tools
