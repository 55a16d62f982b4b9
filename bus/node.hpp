#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "bus/config.hpp"
#include "bus/error.hpp"
#include "bus/export.hpp"

namespace abuzz {

struct StopReport {
  std::uint64_t agents = 0;  // that were still connected
  // Messages that were queued for agents, or sent to them and not confirmed: not delivered, as far
  // as this node knows.
  std::uint64_t unsent = 0;
};

// The switch of one host, as an object: several may run in one process (with runtime directories of
// their own). Threads: start, stop and wait from one thread; request_stop from any. One that was
// moved from does and knows nothing.
class ABUZZ_EXPORT Node {
 public:
  // Error::node_already_running when another one holds the runtime directory.
  // `managed`: agents wait for this node instead of starting one (see `abuzz node run --config`).
  // `log` takes what the node says about agents and callers (refused, struck, gone), a line a call,
  // on a thread of the node or in start(); see [log] of the config. Without it the node is silent.
  static Result<Node> start(const Config& config, bool managed = false,
                            std::function<void(std::string_view line)> log = {});
  Node(Node&&) noexcept;
  Node& operator=(Node&&) noexcept;
  ~Node();  // stop(0)

  // Says goodbye to agents, delivers what it can until the deadline, ends the threads.
  StopReport stop(std::chrono::nanoseconds patience);
  // Refuses new agents, publications and messages; those queued are still delivered. Then, when the
  // last agent has gone, it leaves.
  void drain() noexcept;
  // Returns when the node left by itself (idle_exit, drain) or request_stop was called.
  void wait();
  // Safe in a signal handler.
  void request_stop() noexcept;

  std::uint64_t id() const noexcept;
  std::uint32_t epoch() const noexcept;
  const std::string& runtime_directory() const noexcept;

 private:
  struct State;
  explicit Node(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace abuzz
