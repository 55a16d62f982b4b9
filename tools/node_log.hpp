#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "tools/node_process.hpp"

namespace abuzz::tools {

// Where the lines of a node go: to stderr as it is, or, of a node that nobody watches, to node.log.
// A log that has grown past 1 MiB becomes node.log.1, also while the node runs, so the two are all
// that there ever is. Threads: any.
class NodeLog {
 public:
  explicit NodeLog(const NodePlace& place) : path_(place.log) {}

  // Becomes a node's process that nobody watches: its own session, and from here on stdout and
  // stderr go to the log.
  void detach();
  // One line, with the time in front.
  void write(std::string_view line);

 private:
  void open();

  const std::string path_;
  std::mutex mutex_;
  bool is_detached_ = false;
};

}  // namespace abuzz::tools
