#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "bus/base/clock.hpp"
#include "bus/base/event_count.hpp"
#include "bus/base/position.hpp"
#include "bus/client/pool_size.hpp"
#include "bus/client/work.hpp"
#include "bus/client/work_desk.hpp"
#include "bus/delivery/lane_turn.hpp"
#include "bus/queue/combiner.hpp"
#include "bus/queue/steal_queue.hpp"
#include "bus/stats.hpp"

namespace abuzz::client {

// Which threads a pool may have: a place for a worker on each core, and then three more on each.
struct PoolPlan {
  // Of each core its third level cache: equal means shared. Not empty.
  std::vector<std::uint32_t> caches;
};

// Who gives a pool its threads. Called inside the pool's role, by whatever thread is there.
class WorkerHost {
 public:
  virtual ~WorkerHost() = default;
  // Before the pool is made.
  virtual PoolPlan plan() = 0;
  // A thread for the place, whose earlier one has ended or is about to. False: none is to be had.
  virtual bool start_worker(std::size_t place) = 0;
  // What the thread of the place has computed so far.
  virtual base::Nanos cpu_time(std::size_t place) = 0;
};

// Runs the handlers of subscriptions that asked for concurrency or batches: desks say what may run,
// the role deals it to workers, workers help themselves from each other.
//
// Which is next: the higher lane, and a lower one by LaneTurn, across all desks, so what is first
// in a lane waits at most LaneTurn::patience and the time that workers take for
// LaneTurn::passed_units_max calls that pass it. A worker gets at most `ahead_max` calls ahead, so
// little stands behind a handler that takes long; who has nothing to do takes it from there, and
// so does anybody once that handler took longer than `stuck_after`.
//
// Threads: step and knock by any; begin, finish, sleep of a place by its worker; the rest says.
// Nobody waits for the role, but who opens and ends desks.
// Ownership: host, clock and stats outlive it; workers have ended before it does.
// Invariants: a call is begun by one worker, once; nothing dealt is lost when the pool shrinks: a
// worker leaves with an empty queue only, by a word of the role.
class WorkPool {
 public:
  static constexpr std::size_t ahead_max = 2;
  static constexpr base::Nanos stuck_after = 5 * base::millisecond;
  static constexpr std::size_t victims_max = 3;  // that are asked, for a call

  WorkPool(base::Clock& clock, WorkerHost& host, StatsRow& stats, const PoolPlan& plan);

  // --- Desks; these wait for the role. ---
  // False when no thread is to be had for them.
  bool open(std::shared_ptr<SubscriptionCore> subscription);
  // Nothing more of the subscription is given to handlers; returns once none of it runs, but for
  // one that is the caller. What was handled is settled.
  void end(SubscriptionCore& subscription);
  // Nothing waits for a batch to become full from now on. True when nothing is in hand.
  bool drain();
  // Nothing more is given to handlers.
  void stop();

  // --- Any thread. ---
  // Does all that the role has to do, if nobody is in it; else that one does.
  void step();
  // Somebody who sleeps shall step: there is something new, and the caller has no time for it.
  void knock();
  // When it must be stepped although nothing happens; -1: no such time.
  base::Nanos deadline() const noexcept { return deadline_.read(); }
  bool is_starved() const noexcept { return is_starved_.hint(); }
  // Whether the calling thread is a worker inside a handler.
  bool is_inside() const noexcept { return find_inside() != nullptr; }

  // --- Workers. ---
  void note_thread(std::size_t place) noexcept { workers_[place]->thread.publish(own_thread()); }
  // The next call for the worker, its own or stolen; nullptr: none now.
  Work* begin(std::size_t place);
  // Calls the handler, unless its subscription has ended meanwhile.
  void call(Work& work);
  void finish(std::size_t place, Work& work);
  // Sleeps until there may be something. False when the worker's place is given up: it ends.
  bool sleep(std::size_t place);
  void wake_all();
  // A call waits for a worker to begin it.
  bool has_dealt() const noexcept;

  // --- The runner: what runs beside no other handler of the agent. ---
  bool has_serial() const noexcept { return serial_.count() > 0; }
  Work* begin_serial();
  void finish_serial(Work& work);

  // How many workers there are. Any thread.
  std::size_t size() const noexcept { return size_told_.read(); }

 private:
  static constexpr std::size_t serial_max = 64;
  // Who calls handlers: a worker, or the runner.
  struct Caller {
    base::Position<std::size_t> thread{0};
    // Whose handler runs: compared, never looked into.
    base::Position<const SubscriptionCore*> running{nullptr};
    Work* work = nullptr;  // the thread's own
  };
  struct Worker : Caller {
    queue::StealQueue<Work*, ahead_max> queue;
    base::EventCount events;
    // Stored by the worker; loaded by the role and by thieves.
    base::Position<base::Nanos> running_since{0};
    base::Position<base::Nanos> busy{0};
    base::Position<std::uint64_t> stolen{0};
    base::Position<bool> is_idle{false};
    std::size_t turn = 0;  // the worker's: whom it asks first
    // Constant: in whose queues it looks, those under its own cache first.
    std::vector<std::uint32_t> near, far;
    // The role's.
    bool has_thread = false;
    base::Nanos busy_seen = 0, cpu_seen = 0;
  };

  static std::size_t own_thread() noexcept;
  static void note_begun(Caller& caller, Work& work) noexcept;
  static void note_finished(Caller& caller, Work& work) noexcept;
  void enter();
  void leave();
  void step_inside();
  void deal(base::Nanos now);
  void deal_serial(base::Nanos now);
  WorkDesk* next_desk(base::Nanos now, std::size_t& lane);
  Worker* least_loaded() noexcept;
  void wake_thieves();
  bool has_waiting(base::Nanos now) const noexcept;
  void look(base::Nanos now);
  bool resize();
  void tell(base::Nanos now);
  bool try_leave(std::size_t place);
  Work* steal_stuck(Worker& thief, base::Nanos now);
  Work* steal(Worker& thief);
  Work* take_from(Worker& thief, Worker& victim);
  const Caller* find_inside() const noexcept;
  bool runs_elsewhere(const SubscriptionCore& subscription, const Caller* own) const noexcept;

  base::Clock& clock_;
  WorkerHost& host_;
  StatsRow& stats_;
  queue::Combiner role_;
  std::vector<std::unique_ptr<Worker>> workers_;  // constant; a place each
  queue::StealQueue<Work*, serial_max> serial_;   // to the runner
  Caller runner_;
  base::Position<bool> is_stopped_{false};
  // The role's.
  std::vector<std::unique_ptr<WorkDesk>> desks_;
  delivery::LaneTurn turn_;
  std::size_t next_desk_ = 0;
  PoolSize size_;
  base::Nanos looked_at_ = 0;
  bool is_draining_ = false;
  // Stored by the role.
  base::Position<std::size_t> size_told_{0}, least_told_{0};
  base::Position<base::Nanos> deadline_{-1};
  base::Position<bool> is_starved_{false};
};

}  // namespace abuzz::client
