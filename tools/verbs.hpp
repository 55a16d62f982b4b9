#pragma once

#include <string>
#include <vector>

// The verbs of `abuzz`, one file each. A verb gets the words after its name (shared flags first)
// and answers the exit code.

namespace abuzz::tools {

using Words = std::vector<std::string>;

int run_node(const Words& words);
int run_pub(const Words& words);
int run_sub(const Words& words);
int run_get(const Words& words);
int run_request(const Words& words);
int run_reply(const Words& words);
int run_ls(const Words& words);
int run_info(const Words& words);
int run_audit(const Words& words);
int run_why(const Words& words);
int run_topo(const Words& words);
int run_dead(const Words& words);
int run_doctor(const Words& words);
int run_config(const Words& words);
int run_errors(const Words& words);
int run_version(const Words& words);

// Of `node`: the daemon itself in one file, its control from outside in another.
int run_node_run(const Words& words);
int run_node_start(const Words& words);
int run_node_stop(const Words& words);
int run_node_drain(const Words& words);
int run_node_status(const Words& words);

}  // namespace abuzz::tools
