#pragma once

#include <pthread.h>

#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "bus/base/position.hpp"
#include "bus/client/work_pool.hpp"
#include "bus/place/affinity.hpp"
#include "bus/placement.hpp"

namespace abuzz::client {

class AgentCore;

// The threads of an agent's pool: one for each place that the pool asks for, where the plan of this
// machine wants it, if place.pin says so. There are none before a subscription asks for them.
//
// Threads: plan, start_worker and cpu_time inside the pool's role or before it is there; bind and
// stop by who starts and ends the agent. Ownership: the core outlives it.
class WorkerThreads final : public WorkerHost {
 public:
  // On the thread that connects: workers may run where it may.
  explicit WorkerThreads(AgentCore& core);
  ~WorkerThreads() override;
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;

  // What each worker holds until it ends: an agent may be closed inside a handler.
  void bind(std::weak_ptr<void> keep_alive) { keep_alive_ = std::move(keep_alive); }

  PoolPlan plan() override;
  bool start_worker(std::size_t place) override;
  base::Nanos cpu_time(std::size_t place) override;

  // Workers end when their handlers have returned. Joins them if `waits`, but never the caller.
  void stop(bool waits);

 private:
  struct Slot {
    pthread_t thread{};
    bool has_thread = false;
    // Stored by the worker; nobody needs the thread to be there still.
    base::Position<clockid_t> clock{0};
  };
  struct Task;
  static void* run_thread(void* task);
  void run(std::size_t place);
  place::Processors allowed() const;
  PoolPlan plan_here();

  AgentCore& core_;
  const place::Processors own_;
  std::weak_ptr<void> keep_alive_;
  // Made by plan(): the processor of each core that gets a worker; empty: not pinned.
  std::vector<std::uint32_t> processors_;
  std::vector<std::unique_ptr<Slot>> slots_;
  base::Position<bool> stopping_{false};
};

}  // namespace abuzz::client
