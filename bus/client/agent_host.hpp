#pragma once

#include <memory>
#include <string>

#include "bus/base/clock.hpp"
#include "bus/base/runtime_paths.hpp"
#include "bus/client/agent_core.hpp"
#include "bus/client/agent_threads.hpp"
#include "bus/config.hpp"
#include "bus/link/local_network.hpp"
#include "bus/link/zmq_link.hpp"
#include "bus/mem/pool.hpp"
#include "bus/options.hpp"
#include "bus/stats.hpp"

namespace abuzz::client {

// A real agent: its memory, its ZeroMQ context, its counter file, its core and its threads.
//
// Threads: open and close by one thread at a time. Ownership: shared by the Agent and by every
// publisher and subscription made from it, because their buffers live in its pool.
class AgentHost : public std::enable_shared_from_this<AgentHost> {
 public:
  // Finds or starts a node and waits to be let in, at most agent.connect_timeout.
  static Result<std::shared_ptr<AgentHost>> open(AgentOptions options, const Config& config);
  ~AgentHost();
  AgentHost(const AgentHost&) = delete;
  AgentHost& operator=(const AgentHost&) = delete;

  // Ends threads and links; idempotent.
  CloseReport close(base::Nanos patience);
  AgentCore& core() noexcept { return *core_; }
  const std::string& name() const noexcept { return options_.name; }

  // Agent::wait and Agent::stop meet here. Written from a signal handler too.
  base::EventCount stopped;
  base::Position<bool> is_stopped{false};

 private:
  AgentHost(AgentOptions options, const Config& config);
  Status prepare();
  Status connect();
  void remove_counters() noexcept;

  const Config config_;
  AgentOptions options_;
  const base::RuntimePaths paths_;
  std::string counters_name_;
  base::SystemClock clock_;
  mem::ProcessMemory memory_;
  std::unique_ptr<mem::Pool> pool_;
  std::unique_ptr<StatsFile> stats_;
  std::unique_ptr<link::ZmqContext> context_;
  std::unique_ptr<link::LocalNetwork> network_;
  std::unique_ptr<AgentCore> core_;
  std::unique_ptr<AgentThreads> threads_;
  bool is_open_ = false;
};

}  // namespace abuzz::client
