#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "bus/config.hpp"
#include "bus/node/node_threads.hpp"

// A node whose agents can be moved between its shards:
//   mover SHARDS
// Says `ready`. Then each line `NAME SHARD` moves that agent, if it can just now; the end of stdin
// stops the node.

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  abuzz::Config config = abuzz::config_from_environment().value();
  config.place.shards = static_cast<std::uint32_t>(std::stoul(argv[1]));
  auto started = abuzz::node::NodeThreads::start(config, true, [](std::string_view line) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
  });
  if (!started.ok()) {
    std::fprintf(stderr, "%s\n", started.failure().message().c_str());
    return 1;
  }
  const std::unique_ptr<abuzz::node::NodeThreads> node = std::move(started).value();
  std::puts("ready");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string name;
    std::uint32_t shard = 0;
    if (words >> name >> shard) node->move(name, shard);
  }
  node->stop(std::chrono::seconds(5));
  return 0;
}
