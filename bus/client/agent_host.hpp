#pragma once

#include <unistd.h>

#include <memory>
#include <mutex>
#include <string>

#include "bus/base/clock.hpp"
#include "bus/base/runtime_paths.hpp"
#include "bus/client/agent_core.hpp"
#include "bus/client/agent_threads.hpp"
#include "bus/client/company.hpp"
#include "bus/config.hpp"
#include "bus/link/local_network.hpp"
#include "bus/link/zmq_link.hpp"
#include "bus/mem/pool.hpp"
#include "bus/options.hpp"
#include "bus/stats.hpp"

namespace abuzz::client {

// A real agent: its memory, its ZeroMQ context, its counter file, its core and its threads.
//
// Threads: close by any, also inside a handler. Ownership: shared by the Agent and by every
// publisher and subscription made from it, because their buffers live in its pool.
class AgentHost : public std::enable_shared_from_this<AgentHost> {
 public:
  // Finds or starts a node and waits to be let in, at most agent.connect_timeout.
  static Result<std::shared_ptr<AgentHost>> open(AgentOptions options, const Config& config);
  ~AgentHost();
  AgentHost(const AgentHost&) = delete;
  AgentHost& operator=(const AgentHost&) = delete;

  // Ends threads and links. Who comes later, or while another thread closes, waits for that and
  // hears the same report. Inside a handler nothing is waited for that waits for the handler: where
  // another thread is closing, it returns at once and reports nothing.
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
  CloseReport close_once(base::Nanos patience, bool is_handler);
  void remove_counters() noexcept;
  void tend();

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
  std::unique_ptr<Company> company_;  // nullptr: no thread is moved; the keeper's
  const pid_t caller_ = ::gettid();   // who connects
  // Closers take turns; not on the message route.
  std::mutex closing_;
  bool is_open_ = false;  // under closing_
  CloseReport report_;    // under closing_: of the one close that did it
};

}  // namespace abuzz::client
