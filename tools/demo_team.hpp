#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/team.hpp"
#include "bus/error.hpp"
#include "tools/demo_outcome.hpp"

namespace abuzz::tools {

struct DemoOptions {
  std::vector<std::string> paths;
  std::uint64_t indexers = 3;
  std::uint64_t top = 10;
  std::chrono::nanoseconds timeout = std::chrono::seconds(30);
  bool is_json = false;
};

// The processes of one demo, from their start to their reports. The destructor ends those that are
// left. One thread.
class DemoTeam {
 public:
  // `run` is in the names of agents and topics: demos with different ones do not meet.
  DemoTeam(const DemoOptions& options, std::string run);

  // `list` is the file with the texts.
  Status start(const std::string& list);
  // Until all have ended. 0, or the exit code after a complaint; a first failure ends the others.
  int watch(DemoOutcome& outcome);

 private:
  Status add(const std::string& agent, const std::vector<std::string>& arguments);
  // False after a complaint.
  bool take_line(const bench::TeamEvent& event, DemoOutcome& outcome);
  int complain_about_end(const bench::TeamEvent& event);
  void show_progress(const demo::Report& report);

  const DemoOptions& options_;
  const std::string run_;
  std::string self_;    // this program
  std::string folder_;  // of the agents' programs
  bench::Team team_;
  bool has_explained_ = false;  // an agent has said itself why it failed
  bool has_progress_ = false;   // the terminal's line is not empty
};

}  // namespace abuzz::tools
