#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bus/config.hpp"

// What `abuzz doctor` looks at. Each check reads the machine, changes nothing, and answers one or
// more findings. Those about the host stand in checkup_machine.cpp, those about the node in
// checkup_node.cpp.

namespace abuzz::tools {

struct Finding {
  enum class Grade { good, doubtful, bad };  // bad: Abuzz cannot run like this
  Grade grade = Grade::good;
  std::string check;   // two words at most
  std::string fact;    // what was found
  std::string advice;  // what to do; empty when good
};

std::vector<Finding> check_machine(const Config& config);

// The parts, in the order in which they are shown.
Finding check_processors();
Finding check_memory(const Config& config);
Finding check_descriptors(const Config& config);
Finding check_clock();
Finding check_program();
std::vector<Finding> check_runtime_directory(const Config& config);
Finding check_leftovers(const Config& config);
Finding check_node(const Config& config);

// The number of a line such as "MemAvailable:   123 kB", in bytes.
std::optional<std::uint64_t> parse_meminfo(std::string_view text, std::string_view field);

}  // namespace abuzz::tools
