#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bus/config.hpp"
#include "bus/error.hpp"
#include "tools/arguments.hpp"

namespace abuzz::tools {

// The flags that every verb has.
struct SharedFlags {
  std::string config_path;         // --config FILE
  std::vector<std::string> pairs;  // --set section.key=value
  bool json = false;
};
void add_shared_flags(Arguments& arguments, SharedFlags& flags);
// Without --json.
void add_config_flags(Arguments& arguments, SharedFlags& flags);

// For verbs that read their command line themselves: takes --config and --set out of `words`, up
// to a "--", and appends the others to `rest`. Answers an exit code after a complaint.
std::optional<int> take_config_flags(const std::vector<std::string>& words, SharedFlags& flags,
                                     std::vector<std::string>& rest);

// The file of --config or else of ABUZZ_CONFIG, the environment, then --set. Leaves what the flags
// say in this process's environment, for the node that it may start: both must mean one bus.
// Requires: no thread was started yet.
Result<LoadedConfig> load_settings(const SharedFlags& flags);

}  // namespace abuzz::tools
