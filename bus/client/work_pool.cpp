#include "bus/client/work_pool.hpp"

#include <algorithm>
#include <functional>
#include <thread>
#include <utility>

// The role: desks, and who gets what.

namespace abuzz::client {

using delivery::LaneTurn;

WorkPool::WorkPool(base::Clock& clock, WorkerHost& host, StatsRow& stats, const PoolPlan& plan)
    : clock_(clock),
      host_(host),
      stats_(stats),
      size_(static_cast<std::uint32_t>(plan.caches.size())) {
  const std::size_t cores = plan.caches.size();
  const std::size_t places = cores * PoolSize::workers_a_core_max;
  for (std::size_t place = 0; place < places; ++place) {
    auto worker = std::make_unique<Worker>();
    for (std::size_t other = 0; other < places; ++other) {
      if (other == place) continue;
      const bool is_near = plan.caches[other % cores] == plan.caches[place % cores];
      (is_near ? worker->near : worker->far).push_back(static_cast<std::uint32_t>(other));
    }
    workers_.push_back(std::move(worker));
  }
}

void WorkPool::enter() {
  while (!role_.try_enter()) std::this_thread::yield();
}

void WorkPool::leave() {
  role_.leave();
  step();
}

void WorkPool::step() {
  role_.run([this] { step_inside(); });
}

// --- Desks. ---

bool WorkPool::open(std::shared_ptr<SubscriptionCore> subscription) {
  enter();
  desks_.push_back(std::make_unique<WorkDesk>(std::move(subscription)));
  const bool has_threads = resize();
  if (!has_threads) desks_.pop_back();
  leave();
  return has_threads;
}

void WorkPool::end(SubscriptionCore& subscription) {
  const Caller* own = find_inside();
  if (own != nullptr && own->running.hint() != &subscription) own = nullptr;
  while (true) {
    enter();
    const auto desk = std::ranges::find_if(
        desks_, [&](const auto& each) { return &each->core() == &subscription; });
    const bool is_over = desk == desks_.end() || !runs_elsewhere(subscription, own);
    if (desk != desks_.end()) {
      (*desk)->end();
      (void)(*desk)->collect();
      if (is_over && own != nullptr) (*desk)->note_handled(*own->work);
    }
    leave();
    if (is_over) return;
    std::this_thread::yield();
  }
}

bool WorkPool::drain() {
  enter();
  is_draining_ = true;
  bool is_empty = true;
  for (const auto& desk : desks_) {
    desk->hurry();
    is_empty = is_empty && desk->is_empty();
  }
  leave();
  return is_empty;
}

void WorkPool::stop() {
  is_stopped_.publish_fenced(true);
  enter();
  is_draining_ = true;
  for (const auto& desk : desks_) desk->end();
  leave();
  wake_all();
}

// --- Inside the role. ---

void WorkPool::step_inside() {
  const base::Nanos now = clock_.now();
  bool is_starved = false;
  for (const auto& desk : desks_) {
    (void)desk->collect();
    if (!is_draining_) (void)desk->take_in(clock_);
    is_starved = is_starved || desk->is_starved();
  }
  is_starved_.publish(is_starved);
  deal(now);
  deal_serial(now);
  wake_thieves();
  const std::size_t before = desks_.size();
  std::erase_if(desks_, [](const auto& desk) { return desk->is_ended() && desk->calls() == 0; });
  if (desks_.size() != before) (void)resize();
  look(now);
  tell(now);
}

// The lane whose turn it is, of all desks, and of the desks that have it the next in turn.
WorkDesk* WorkPool::next_desk(base::Nanos now, std::size_t& lane) {
  LaneTurn::Waiting waiting = 0;
  for (const auto& desk : desks_)
    if (!desk->is_serial()) waiting |= desk->ready(now);
  if (waiting == 0) return nullptr;
  lane = turn_.next(waiting, now);
  for (std::size_t passed = 0; passed < desks_.size(); ++passed) {
    WorkDesk& desk = *desks_[next_desk_++ % desks_.size()];
    if (!desk.is_serial() && (desk.ready(now) & LaneTurn::bit(lane)) != 0) return &desk;
  }
  return nullptr;
}

// Who has nothing comes first.
WorkPool::Worker* WorkPool::least_loaded() noexcept {
  Worker* found = nullptr;
  std::size_t load_found = ahead_max + 1;
  for (std::size_t place = 0; place < size_told_.hint(); ++place) {
    Worker& worker = *workers_[place];
    const std::size_t waiting = worker.queue.count();
    if (waiting >= ahead_max) continue;
    const std::size_t load = waiting + (worker.running.read() != nullptr ? 1 : 0);
    if (load >= load_found) continue;
    found = &worker;
    load_found = load;
  }
  return found;
}

void WorkPool::deal(base::Nanos now) {
  while (Worker* const worker = least_loaded()) {
    std::size_t lane = 0;
    WorkDesk* const desk = next_desk(now, lane);
    if (desk == nullptr) return;
    Work* const work = desk->pop(lane, now);
    if (work == nullptr) continue;  // all of it was refused
    std::uint64_t bytes = 0;
    for (const MessageView& view : work->views) bytes += view.payload().size();
    turn_.note_served(lane, bytes);
    (void)worker->queue.try_push(work);  // least_loaded: it has room
    worker->events.notify_all();
  }
}

void WorkPool::deal_serial(base::Nanos now) {
  for (const auto& desk : desks_) {
    if (!desk->is_serial()) continue;
    const LaneTurn::Waiting waiting = desk->ready(now);
    if (waiting == 0 || serial_.count() >= serial_max) continue;
    Work* const work = desk->pop(desk->turn().next(waiting, now), now);
    if (work == nullptr) continue;
    desk->turn().note_served(work->lane, work->views.size());
    (void)serial_.try_push(work);
  }
}

// Who sleeps helps those who have calls waiting behind a handler; what was dealt to a sleeper wakes
// that one.
void WorkPool::wake_thieves() {
  std::size_t behind = 0;
  for (const auto& worker : workers_)
    if (worker->running.read() != nullptr) behind += worker->queue.count();
  for (std::size_t place = 0; place < size_told_.hint() && behind > 0; ++place) {
    Worker& worker = *workers_[place];
    if (!worker.is_idle.read_fenced() || worker.queue.count() > 0) continue;
    worker.events.notify_all();
    --behind;
  }
}

bool WorkPool::has_dealt() const noexcept {
  return std::ranges::any_of(workers_, [](const auto& each) { return each->queue.count() > 0; });
}

// Also what was dealt, and stands behind a call that runs.
bool WorkPool::has_waiting(base::Nanos now) const noexcept {
  const auto is_behind = [](const auto& worker) {
    return worker->queue.count() > 0 && worker->running.read() != nullptr;
  };
  return std::ranges::any_of(
             desks_,
             [&](const auto& desk) { return !desk->is_serial() && desk->ready(now) != 0; }) ||
         std::ranges::any_of(workers_, is_behind);
}

void WorkPool::look(base::Nanos now) {
  if (size_told_.hint() == 0) return;
  PoolSize::Look seen;
  seen.span = now - looked_at_;
  if (seen.span < PoolSize::interval) return;
  std::uint64_t stolen = 0;
  for (std::size_t place = 0; place < workers_.size(); ++place) {
    Worker& worker = *workers_[place];
    stolen += worker.stolen.read();
    if (!worker.has_thread) continue;
    const base::Nanos since = worker.running_since.read();
    const base::Nanos busy =
        worker.busy.read() + (since != 0 ? std::max<base::Nanos>(now - since, 0) : 0);
    const base::Nanos cpu = host_.cpu_time(place);
    seen.busy += std::clamp<base::Nanos>(busy - worker.busy_seen, 0, seen.span);
    seen.cpu += std::max<base::Nanos>(cpu - worker.cpu_seen, 0);
    worker.busy_seen = std::max(busy, worker.busy_seen);
    worker.cpu_seen = cpu;
  }
  seen.has_waiting = has_waiting(now);
  const bool is_first = looked_at_ == 0;
  looked_at_ = now;
  stats_.set(ProcessCounter::calls_stolen, stolen);
  if (is_first) return;
  (void)size_.note(seen);
  if (size_.size() != size_told_.hint()) (void)resize();
}

// Starts who is missing; who is too many leaves by itself. False when nobody is there who must be.
bool WorkPool::resize() {
  std::size_t useful = 0;
  for (const auto& desk : desks_)
    if (!desk->is_serial() && !desk->is_ended()) useful += desk->concurrency();
  size_.set_useful(static_cast<std::uint32_t>(std::min<std::size_t>(useful, workers_.size())));
  std::size_t size = 0;
  while (size < size_.size()) {
    Worker& worker = *workers_[size];
    if (!worker.has_thread) {
      if (!host_.start_worker(size)) break;
      worker.has_thread = true;
      worker.cpu_seen = 0;
    }
    ++size;
  }
  const std::size_t before = size_told_.hint();
  if (size > before) stats_.add(ProcessCounter::workers_grown, size - before);
  if (size < before) stats_.add(ProcessCounter::workers_shrunk, before - size);
  stats_.set(ProcessCounter::workers, size);
  least_told_.publish(size_.least());
  size_told_.publish(size);
  for (std::size_t place = size; place < before; ++place) workers_[place]->events.notify_all();
  return size > 0 || useful == 0;
}

void WorkPool::tell(base::Nanos now) {
  base::Nanos first = has_waiting(now) ? looked_at_ + PoolSize::interval : -1;
  for (const auto& desk : desks_) {
    const base::Nanos due = desk->deadline();
    if (due >= 0 && (first < 0 || due < first)) first = due;
  }
  deadline_.publish(first);
}

}  // namespace abuzz::client
