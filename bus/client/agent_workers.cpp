#include <algorithm>
#include <utility>

#include "bus/client/agent_core.hpp"

// The agent's pool, where subscriptions ask for one.

namespace abuzz::client {

namespace {

// How often it is looked whether the pool is drained.
constexpr base::Nanos drain_look = base::millisecond;

}  // namespace

bool AgentCore::open_desk(std::shared_ptr<SubscriptionCore> subscription) {
  if (worker_host_ == nullptr) return false;
  {
    const std::lock_guard lock(opening_pool_);
    if (!work_pool_) {
      work_pool_ = std::make_unique<WorkPool>(parts_.clock, *worker_host_, parts_.stats.process(),
                                              worker_host_->plan());
      work_pool_told_.publish(work_pool_.get());
    }
  }
  return work_pool_->open(std::move(subscription));
}

void AgentCore::step_workers() {
  WorkPool* const pool = work_pool();
  if (pool == nullptr || is_forked()) return;
  pool->step();
  const base::Nanos due = pool->deadline();
  if (pool->has_serial() || (due >= 0 && due != pool_deadline_seen_.read())) doorbell_.ring();
}

bool AgentCore::run_worker(std::size_t place) {
  WorkPool& pool = *work_pool();
  Work* const work = pool.begin(place);
  if (work == nullptr) return false;
  pool.call(*work);
  if (is_forked()) return false;
  pool.finish(place, *work);
  step_now(false);  // what was handled is told
  step_workers();
  return true;
}

void AgentCore::drain_workers(base::Nanos deadline) {
  WorkPool* const pool = work_pool();
  if (pool == nullptr) return;
  while (!pool->drain()) {
    const base::Nanos now = parts_.clock.now();
    if (now >= deadline) return;
    step_workers();  // wakes the agent's thread for what is its own
    const Key key = prepare_wait();
    (void)events_.wait(key, std::min(drain_look, deadline - now));
  }
}

bool AgentCore::is_inside_handler() const noexcept {
  const WorkPool* const pool = work_pool();
  return executor_.is_inside() || (pool != nullptr && pool->is_inside());
}

bool AgentCore::is_starved() const noexcept {
  const WorkPool* const pool = work_pool();
  return executor_.is_starved() || (pool != nullptr && pool->is_starved());
}

}  // namespace abuzz::client
