#pragma once

#include <chrono>
#include <string>

#include "bus/config.hpp"
#include "bus/error.hpp"

namespace abuzz::client {

// Makes sure that a node runs in the runtime directory of `config`, by starting one where there is
// none, and returns when its door answers. However many processes call this at once, one node is
// started: they take turns at the directory's start.lock, and look at the door again first.
//
// `patience` bounds it all. Where a managed node is expected (base::managed_line) it only waits.
// Errors: no_node (the managed one did not come), node_start_failed (with the last line that the
// node printed), node_binary_missing (with the places that were looked at), or why the runtime
// directory cannot be used.
Status start_node(const Config& config, std::chrono::nanoseconds patience);
// With agent.connect_timeout.
Status start_node(const Config& config);

// The program that would be started: $ABUZZ_NODE_BIN and nothing else where that is set; this
// program itself if it is `abuzz`; the installed one; the first `abuzz` in $PATH.
Result<std::string> find_node_binary();

}  // namespace abuzz::client
