#pragma once

#include <string>
#include <vector>

#include "bench/role.hpp"

namespace abuzz::bench {

// The server of a brokered peer: a program of its Debian package, started on loopback or a socket
// file of this run alone, with a configuration of this run alone.
struct ServerPlan {
  std::string program;  // looked for in PATH and in /usr/sbin
  std::vector<std::string> arguments;
  std::string endpoint;     // what clients are told
  std::string socket_path;  // where it listens: a file,
  int port = 0;             // or a port of 127.0.0.1
};

// A port of 127.0.0.1 that was free just now; 0 if there is none. Servers that cannot be asked to
// choose one themselves get this; one that is taken meanwhile fails its run.
int free_port();

// Plays the hub: starts it, says ready when it takes connections, stops it when told, and reports
// what it used. False when it failed and said so.
bool run_server(const ServerPlan& plan, RoleChannel& channel);

// The first number that the program says when it is asked: "redis-server 7.0.15".
std::string program_version(const std::string& name, const std::string& argument);

// Writes a file of the run's directory; its path.
std::string write_config(const RoleOptions& options, const std::string& name,
                         const std::string& text);

}  // namespace abuzz::bench
