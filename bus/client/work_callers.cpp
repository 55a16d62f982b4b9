#include <algorithm>
#include <functional>
#include <thread>

#include "bus/client/work_pool.hpp"

// The other side of a WorkPool: those who call handlers.

namespace abuzz::client {

namespace {

using Take = queue::StealQueue<Work*, WorkPool::ahead_max>::Take;

// A worker that may be too many looks so often whether it is.
constexpr base::Nanos surplus_sleep = 2 * PoolSize::interval;

}  // namespace

std::size_t WorkPool::own_thread() noexcept {
  return std::hash<std::thread::id>{}(std::this_thread::get_id());
}

// A store-load pair with end() and stop(): either they see that the handler runs, or call() sees
// that it must not.
void WorkPool::note_begun(Caller& caller, Work& work) noexcept {
  caller.work = &work;
  caller.running.publish_fenced(&work.desk->core());
}

// First what was handled, then that nothing runs: who waits for the second finds the first.
void WorkPool::note_finished(Caller& caller, Work& work) noexcept {
  caller.work = nullptr;
  work.is_done.publish_fenced(true);
  caller.running.publish_fenced(nullptr);
}

Work* WorkPool::begin(std::size_t place) {
  Worker& worker = *workers_[place];
  const base::Nanos now = clock_.now();
  Work* work = steal_stuck(worker, now);
  if (work == nullptr && worker.queue.try_take(work) != Take::taken) work = steal(worker);
  if (work == nullptr) return nullptr;
  worker.running_since.publish(now);
  note_begun(worker, *work);
  return work;
}

void WorkPool::call(Work& work) {
  SubscriptionCore& subscription = work.desk->core();
  if (is_stopped_.read_fenced() || subscription.is_closing.read_fenced()) return;
  work.was_given = true;
  if (subscription.batch_handler) {
    subscription.batch_handler(work.views);
  } else {
    subscription.handler(work.views.front());
  }
}

void WorkPool::finish(std::size_t place, Work& work) {
  Worker& worker = *workers_[place];
  const base::Nanos since = worker.running_since.hint();
  worker.busy.publish(worker.busy.hint() + clock_.now() - since);
  worker.running_since.publish(0);
  note_finished(worker, work);
  step();
}

Work* WorkPool::take_from(Worker& thief, Worker& victim) {
  Work* work = nullptr;
  if (victim.queue.try_take(work) != Take::taken) return nullptr;
  thief.stolen.publish(thief.stolen.hint() + 1);
  return work;
}

// What waits behind somebody's long handler comes before anything else, or a lane could wait for as
// long as that handler takes. Each time another one is looked at first.
Work* WorkPool::steal_stuck(Worker& thief, base::Nanos now) {
  const std::size_t count = size();
  const std::size_t first = thief.turn++;
  for (std::size_t index = 0; index < count; ++index) {
    Worker& victim = *workers_[(first + index) % count];
    const base::Nanos since = victim.running_since.read();
    if (since == 0 || now - since < stuck_after || victim.queue.count() == 0) continue;
    if (&victim != &thief) return take_from(thief, victim);
  }
  return nullptr;
}

Work* WorkPool::steal(Worker& thief) {
  std::size_t asked = 1;  // by steal_stuck
  for (const auto* group : {&thief.near, &thief.far}) {
    for (std::size_t index = 0; index < group->size() && asked < victims_max; ++index) {
      Worker& victim = *workers_[(*group)[(thief.turn + index) % group->size()]];
      if (victim.queue.count() == 0) continue;
      ++asked;
      if (Work* const work = take_from(thief, victim)) return work;
    }
  }
  return nullptr;
}

bool WorkPool::sleep(std::size_t place) {
  if (place >= size() && try_leave(place)) return false;
  Worker& worker = *workers_[place];
  const base::EventCount::Key key = worker.events.prepare();
  // Before the step, which deals to who is idle, or wakes it for what others have.
  worker.is_idle.publish_fenced(true);
  step();
  if (has_dealt() || place >= size() || is_stopped_.read_fenced()) {
    worker.events.cancel();
  } else {
    worker.events.wait(key, place >= least_told_.read() ? surplus_sleep : -1);
  }
  worker.is_idle.publish_fenced(false);
  return true;
}

// A word of the role: nothing is dealt to the place any more.
bool WorkPool::try_leave(std::size_t place) {
  if (!role_.try_enter()) return false;
  Worker& worker = *workers_[place];
  const bool leaves = place >= size_told_.hint() && worker.queue.count() == 0;
  if (leaves) worker.has_thread = false;
  leave();
  return leaves;
}

void WorkPool::knock() {
  for (std::size_t place = 0; place < size(); ++place) {
    if (!workers_[place]->is_idle.read_fenced()) continue;
    workers_[place]->events.notify_all();
    return;
  }
}

void WorkPool::wake_all() {
  for (const auto& worker : workers_) worker->events.notify_all();
}

Work* WorkPool::begin_serial() {
  Work* work = nullptr;
  if (serial_.try_take(work) != queue::StealQueue<Work*, serial_max>::Take::taken) return nullptr;
  runner_.thread.publish(own_thread());
  note_begun(runner_, *work);
  return work;
}

void WorkPool::finish_serial(Work& work) {
  note_finished(runner_, work);
  step();
}

const WorkPool::Caller* WorkPool::find_inside() const noexcept {
  const std::size_t own = own_thread();
  const auto is_own = [&](const Caller& caller) {
    return caller.running.read() != nullptr && caller.thread.read() == own;
  };
  if (is_own(runner_)) return &runner_;
  for (const auto& worker : workers_)
    if (is_own(*worker)) return worker.get();
  return nullptr;
}

bool WorkPool::runs_elsewhere(const SubscriptionCore& subscription,
                              const Caller* own) const noexcept {
  const auto is_other = [&](const Caller& caller) {
    return &caller != own && caller.running.read_fenced() == &subscription;
  };
  return is_other(runner_) ||
         std::ranges::any_of(workers_, [&](const auto& worker) { return is_other(*worker); });
}

}  // namespace abuzz::client
