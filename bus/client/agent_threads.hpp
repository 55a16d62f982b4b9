#pragma once

#include <pthread.h>

#include <functional>
#include <memory>

#include "bus/base/idle_strategy.hpp"
#include "bus/base/position.hpp"
#include "bus/client/agent_core.hpp"
#include "bus/client/worker_threads.hpp"

namespace abuzz::client {

// The two threads of an agent, and those of its pool. The runner polls the link and the door, steps
// the session and runs handlers. The keeper beats once a second, and steps the session in the
// runner's place while a handler takes long.
//
// Threads: constructor, stop and destructor by one at a time. Ownership: the core outlives it.
// Cost: an idle agent wakes once a second.
class AgentThreads {
 public:
  // `launch` starts a node when nobody is at the door; called on the runner, may block. `tend` is
  // called by the keeper once a second.
  AgentThreads(AgentCore& core, std::function<void()> launch, std::function<void()> tend = {});
  ~AgentThreads();
  AgentThreads(const AgentThreads&) = delete;
  AgentThreads& operator=(const AgentThreads&) = delete;

  // `keep_alive` is held by the runner until it ends: an agent may be closed inside a handler.
  bool start(std::shared_ptr<void> keep_alive);
  // Lets the handler that runs come to its end (without a bound: it is the caller's code), then
  // joins. Called inside a handler it leaves the runner and the workers to a later call from
  // elsewhere, or to the destructor.
  void stop();
  // What the system calls the runner; 0 before it runs.
  pid_t runner_id() const noexcept { return runner_id_.read(); }

 private:
  bool is_runner() const noexcept;
  struct RunnerTask;
  static void* run_thread(void* task);
  static void* keep_thread(void* self);
  void run();
  void keep();
  bool look_around();
  void sleep();
  void beat();

  AgentCore& core_;
  const std::function<void()> launch_, tend_;
  WorkerThreads workers_;
  base::IdleStrategy idle_;  // runner only
  Readable readable_;        // runner only: what its last sleep found
  pthread_t runner_{}, keeper_{};
  bool has_runner_ = false, has_keeper_ = false;
  base::Position<bool> stopping_{false};
  base::Position<pid_t> runner_id_{0};
  base::Position<std::uint64_t> cycles_{0};  // of the runner: it stands still inside a long handler
};

}  // namespace abuzz::client
