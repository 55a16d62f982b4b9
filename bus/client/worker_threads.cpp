#include "bus/client/worker_threads.hpp"

#include <algorithm>
#include <utility>

#include "bus/base/idle_strategy.hpp"
#include "bus/base/quiet_thread.hpp"
#include "bus/client/agent_core.hpp"
#include "bus/place/affinity.hpp"
#include "bus/place/pin.hpp"

namespace abuzz::client {

struct WorkerThreads::Task {
  WorkerThreads* threads;
  std::size_t place;
  std::shared_ptr<void> keep_alive;
};

WorkerThreads::WorkerThreads(AgentCore& core) : core_(core), own_(place::read_affinity()) {}

WorkerThreads::~WorkerThreads() {
  stop(true);
  // A worker itself was the last to hold the agent: nobody is left to join it.
  for (const auto& slot : slots_)
    if (slot->has_thread) pthread_detach(slot->thread);
}

// The thread that asks may have been brought together with the node's: that is not for workers.
place::Processors WorkerThreads::allowed() const {
  place::Processors now = place::read_affinity();
  const std::uint64_t meeting = core_.stats().process().get(ProcessCounter::meeting);
  const bool is_gathered = now.size() == 1 && meeting == now.front() + std::uint64_t{1};
  return is_gathered ? own_ : now;
}

PoolPlan WorkerThreads::plan() {
  PoolPlan pool;
  place::run_on(allowed(), [&](const place::PinOutcome&) { pool = plan_here(); });
  return pool;
}

// For the processors that the calling thread may use.
PoolPlan WorkerThreads::plan_here() {
  const Config& config = core_.config();
  const Topology topology = read_topology();
  const std::optional<Measures> measures = kept_measures(config, topology);
  const Plan plan = plan_threads(topology, measures ? &*measures : nullptr,
                                 {pin_wish(config), config.place.shards, 0u, false});
  PoolPlan pool;
  for (const PlannedThread& thread : plan.threads) {
    if (thread.role != PlannedThread::Role::worker) continue;
    const std::uint32_t processor = thread.processors.front();
    const auto core = std::ranges::find_if(topology.cores, [&](const Topology::Core& each) {
      return std::ranges::find(each.processors, processor) != each.processors.end();
    });
    pool.caches.push_back(core != topology.cores.end() ? core->cache : 0);
    // Not unless asked: each agent's plan is the same, and all of them would share these cores.
    if (pin_wish(config) == PinWish::on) processors_.push_back(processor);
  }
  if (pool.caches.empty()) pool.caches.push_back(0);
  for (std::size_t place = 0; place < pool.caches.size() * PoolSize::workers_a_core_max; ++place)
    slots_.push_back(std::make_unique<Slot>());
  return pool;
}

bool WorkerThreads::start_worker(std::size_t place) {
  std::shared_ptr<void> keep_alive = keep_alive_.lock();
  if (!keep_alive || stopping_.read_fenced()) return false;
  Slot& slot = *slots_[place];
  // It has left its place.
  if (slot.has_thread) pthread_join(slot.thread, nullptr);
  auto task = std::make_unique<Task>(Task{this, place, std::move(keep_alive)});
  const auto start = [&] {
    slot.has_thread = base::start_quiet_thread(slot.thread, run_thread, task.get(), "abz-worker");
  };
  const place::Processors wanted =
      processors_.empty() ? allowed() : place::Processors{processors_[place % processors_.size()]};
  place::run_on(wanted, [&](const place::PinOutcome& outcome) {
    if (outcome.refused != 0 && !processors_.empty())
      core_.stats().process().add_shared(ProcessCounter::pins_refused);
    start();
  });
  if (slot.has_thread) (void)task.release();
  return slot.has_thread;
}

base::Nanos WorkerThreads::cpu_time(std::size_t place) {
  const clockid_t clock = slots_[place]->clock.read();
  timespec time{};
  if (clock == 0 || clock_gettime(clock, &time) != 0) return 0;
  return time.tv_sec * base::second + time.tv_nsec;
}

void* WorkerThreads::run_thread(void* task) {
  const std::unique_ptr<Task> own(static_cast<Task*>(task));
  own->threads->run(own->place);
  return nullptr;
}

void WorkerThreads::run(std::size_t place) {
  clockid_t clock = 0;
  if (pthread_getcpuclockid(pthread_self(), &clock) == 0) slots_[place]->clock.publish(clock);
  WorkPool& pool = *core_.work_pool();
  pool.note_thread(place);
  base::IdleStrategy idle(
      base::idle_budget(core_.config().place.waiting, static_cast<std::uint32_t>(own_.size())));
  // A handler that forked returns in the child too: there this is the only thread.
  while (!stopping_.read_fenced() && !core_.is_forked()) {
    if (core_.run_worker(place)) continue;
    if (core_.is_forked()) break;
    const bool has_found = idle.find(core_.clock(), [&] { return pool.has_dealt(); });
    if (idle.spent() > 0)
      core_.stats().process().add_shared(ProcessCounter::waiting_ns,
                                         static_cast<std::uint64_t>(idle.spent()));
    if (has_found) continue;
    if (!pool.sleep(place)) break;
  }
}

void WorkerThreads::stop(bool waits) {
  stopping_.publish_fenced(true);
  if (WorkPool* const pool = core_.work_pool()) pool->wake_all();
  if (!waits) return;
  for (const auto& slot : slots_) {
    if (!slot->has_thread || pthread_equal(pthread_self(), slot->thread) != 0) continue;
    pthread_join(slot->thread, nullptr);
    slot->has_thread = false;
  }
}

}  // namespace abuzz::client
