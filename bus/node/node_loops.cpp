#include <poll.h>
#include <time.h>

#include <algorithm>
#include <utility>

#include "bus/base/idle_strategy.hpp"
#include "bus/node/node_threads.hpp"

// What the threads of a node do until it ends: work, look once more, sleep.

namespace abuzz::node {
namespace {

// While the shard has work without a break it looks at the pool, and shows its time, this often.
constexpr base::Nanos busy_interval = 10 * base::millisecond;

// Waits until the bell rings, the other descriptor is readable or the time has come (negative: no
// such time). True when the bell rang.
bool sleep_on(const base::Doorbell& bell, int other, base::Nanos now,
              base::Nanos deadline) noexcept {
  pollfd descriptors[2] = {{bell.fd(), POLLIN, 0}, {other, POLLIN, 0}};
  timespec span{};
  if (deadline >= 0) {
    const base::Nanos left_ns = std::max<base::Nanos>(deadline - now, 0);
    span.tv_sec = static_cast<time_t>(left_ns / base::second);
    span.tv_nsec = static_cast<long>(left_ns % base::second);
  }
  const int count = ppoll(descriptors, 2, deadline >= 0 ? &span : nullptr, nullptr);
  return count > 0 && descriptors[0].revents != 0;
}

}  // namespace

void NodeThreads::note_sleep(base::Nanos awake_since) noexcept {
  StatsRow& process = core_->stats().process();
  process.add_shared(ProcessCounter::wakeups);
  process.add_shared(ProcessCounter::busy_ns,
                     static_cast<std::uint64_t>(clock_.now() - awake_since));
}

// --- The door's thread ---

void* NodeThreads::door_main(void* self) noexcept {
  NodeThreads& node = *static_cast<NodeThreads*>(self);
  try {
    node.run_door();
  } catch (...) {
    node.has_failed_.publish(true);  // out of memory: the next node starts afresh
  }
  node.finish();
  return nullptr;
}

void NodeThreads::run_door() {
  Reception& reception = core_->reception();
  base::Nanos now = clock_.now();
  base::Nanos awake_since = now;
  const auto step = [&] {
    now = clock_.now();
    hear_wishes(now);
    std::size_t done = reception.do_work(now);
    core_->tend(now);
    meeting_->look(now);
    for (const auto& worker : workers_) {
      const std::uint64_t posted = reception.orders_posted(worker->index);
      if (posted != worker->orders_rung) worker->bell.ring();
      worker->orders_rung = posted;
    }
    return done;
  };
  while (reception.phase() != Reception::Phase::left && !has_failed_.read()) {
    if (step() > 0) continue;
    door_bell_.arm();
    bool was_heard = false;
    if (step() == 0 && reception.phase() != Reception::Phase::left && !has_failed_.read()) {
      base::Nanos deadline = reception.next_deadline();
      if (deadline < 0 || core_->next_tending() < deadline) deadline = core_->next_tending();
      note_sleep(awake_since);
      was_heard = sleep_on(door_bell_, door_->wait_descriptor(), now, deadline);
      awake_since = clock_.now();
    }
    door_bell_.disarm(was_heard);
  }
}

void NodeThreads::hear_wishes(base::Nanos now) {
  // Pairs with stop: stop_until_ was written before.
  if (stop_wanted_.read()) core_->reception().start_stopping(now, stop_until_);
  if (drain_wanted_.read()) core_->reception().start_draining();
  Wish wish;
  while (wishes_.pop(&wish, 1) == 1) core_->reception().move(wish.agent, wish.shard, "as asked");
}

// The shards' threads end, the directory is given up, and who waits is told.
void NodeThreads::finish() noexcept {
  end_workers();
  door_->shut();
  directory_.vacate();
  host_.release_start_lock();
  leave_wanted_.publish(true);
  wait_bell_.ring_always();
}

// --- A shard's thread ---

void* NodeThreads::shard_main(void* self) noexcept {
  Worker& worker = *static_cast<Worker*>(self);
  NodeThreads& node = *worker.node;
  try {
    node.run_shard(worker);
  } catch (...) {
    node.has_failed_.publish(true);
    node.door_bell_.ring();
  }
  return nullptr;
}

void NodeThreads::run_shard(Worker& worker) {
  Shard& shard = core_->shard(worker.index);
  base::Nanos awake_since = clock_.now();
  base::Nanos show_at = awake_since + busy_interval;
  base::IdleStrategy idle(base::idle_budget(config_.place.waiting, processors_));
  for (;;) {
    const base::Nanos now = clock_.now();
    const std::size_t done = shard.do_work(now, clock_.wall_now());
    if (shard.has_reports()) door_bell_.ring();
    if (shards_end_.read()) return;
    if (now >= show_at) {
      show_at = now + busy_interval;
      note_busy(worker, std::exchange(awake_since, now), now);
      if (core_->has_new_misses()) door_bell_.ring();
    }
    if (done > 0) continue;
    // More frames than it holds wait for its turn, of which the bell tells.
    const bool is_full = shard.is_full();
    const auto has_work = [&] {
      return !shard.may_sleep() || (!is_full && worker.hub->has_input()) || shards_end_.read();
    };
    const bool has_found = idle.find(clock_, has_work);
    if (idle.spent() > 0)
      core_->stats().process().add_shared(ProcessCounter::waiting_ns,
                                          static_cast<std::uint64_t>(idle.spent()));
    if (has_found) {
      shard.note_input();
      continue;
    }
    worker.bell.arm();
    bool was_heard = false;
    // Orders and calls that come from now on ring; those that came before, and frames, are seen
    // here. A hub's descriptor is edge-triggered: it must be asked itself.
    if (!has_work()) {
      note_busy(worker, awake_since, clock_.now());
      core_->stats().process().add_shared(ProcessCounter::wakeups);
      if (worker.row != nullptr) worker.row->add(ThreadCounter::wakeups);
      was_heard = sleep_on(worker.bell, is_full ? -1 : worker.hub->wait_descriptor(), now,
                           shard.next_deadline());
      awake_since = clock_.now();
    }
    worker.bell.disarm(was_heard);
    shard.note_input();
  }
}

void NodeThreads::note_busy(Worker& worker, base::Nanos since, base::Nanos now) {
  core_->stats().process().add_shared(ProcessCounter::busy_ns,
                                      static_cast<std::uint64_t>(now - since));
  Shard& shard = core_->shard(worker.index);
  shard.note_busy(now - since);
  if (worker.row == nullptr) return;
  worker.row->add(ThreadCounter::busy_ns, static_cast<std::uint64_t>(now - since));
  worker.row->set(ThreadCounter::turns, shard.counters().turns);
  worker.row->set(ThreadCounter::in_vain, shard.counters().in_vain);
  worker.row->set(ThreadCounter::waited_ns, shard.counters().waited_ns);
  worker.row->set(ThreadCounter::turn_ns, shard.counters().turn_ns);
}

}  // namespace abuzz::node
