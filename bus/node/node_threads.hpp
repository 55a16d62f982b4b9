#pragma once

#include <pthread.h>
#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bus/base/clock.hpp"
#include "bus/base/doorbell.hpp"
#include "bus/base/position.hpp"
#include "bus/config.hpp"
#include "bus/error.hpp"
#include "bus/link/door.hpp"
#include "bus/link/zmq_link.hpp"
#include "bus/mem/pool.hpp"
#include "bus/node/host.hpp"
#include "bus/node/meeting.hpp"
#include "bus/node/node_core.hpp"
#include "bus/node/runtime_directory.hpp"
#include "bus/node/thread_places.hpp"
#include "bus/queue/intake.hpp"

namespace abuzz::node {

// A node that runs: its files, its sockets, and threads around a NodeCore.
//
// Threads: start, stop, wait and the destructor by one; drain and request_stop by any, the latter
// also in a signal handler. Inside, the door's thread runs reception and is the one that ends
// everything; each shard has a thread, which runs it and its hub.
// Invariants: the door opens last and shuts first. When the door's thread has ended, those of the
// shards have too, and the runtime directory is free for the next node.
// Cost: an idle node wakes once a second.
class NodeThreads {
 public:
  struct Departure {
    std::uint64_t agents = 0;
    std::uint64_t unsent = 0;
  };

  // `log` is called on the door's thread, and before that on the caller's.
  static Result<std::unique_ptr<NodeThreads>> start(const Config& config, bool managed,
                                                    LogSink log = {});
  ~NodeThreads();
  NodeThreads(const NodeThreads&) = delete;
  NodeThreads& operator=(const NodeThreads&) = delete;

  Departure stop(std::chrono::nanoseconds patience);
  void drain() noexcept;
  // Has an agent move to another shard, if it can just now; for tests. One thread at a time. False
  // while too many wishes wait.
  bool move(const std::string& agent, std::uint32_t shard);
  void wait() noexcept;
  void request_stop() noexcept;

  // False in a child that this process forked: there its threads do not exist, and its sockets and
  // files are still the parent's. Such a copy must be neither used nor destroyed.
  bool is_own_process() const noexcept { return getpid() == process_; }

  const NodeIdentity& identity() const noexcept { return directory_.identity(); }
  const std::string& runtime_directory() const noexcept { return directory_.paths().directory; }

 private:
  NodeThreads(const Config& config, RuntimeDirectory&& directory);

  // One shard's: its link library with an I/O thread, its hub, its thread.
  struct Worker {
    NodeThreads* node = nullptr;
    std::uint32_t index = 0;
    std::unique_ptr<link::ZmqContext> context;
    std::unique_ptr<link::Hub> hub;
    base::Doorbell bell;  // wakes the thread
    pthread_t thread{};
    bool has_thread = false;        // started and not joined
    std::uint64_t orders_rung = 0;  // the door's thread
    StatsRow* row = nullptr;        // of the thread; nullptr where the counter file has none
  };

  Status open(bool managed, LogSink&& log);
  Status open_worker(std::uint32_t index);
  Status start_threads();
  void end_workers() noexcept;
  static void* door_main(void* self) noexcept;
  static void* shard_main(void* worker) noexcept;
  // Requires: the door's thread.
  void run_door();
  void hear_wishes(base::Nanos now);
  void finish() noexcept;
  // Requires: the worker's thread.
  void run_shard(Worker& worker);
  void note_busy(Worker& worker, base::Nanos since, base::Nanos now);
  void note_sleep(base::Nanos awake_since) noexcept;

  const pid_t process_ = getpid();
  // Constant after start. Destroyed from the end: buffers go home before their pool.
  const Config config_;
  RuntimeDirectory directory_;
  base::SystemClock clock_;
  SystemHost host_;
  mem::ProcessMemory memory_;
  std::unique_ptr<mem::Pool> pool_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<link::DoorListener> door_;
  std::unique_ptr<NodeCore> core_;
  std::unique_ptr<ThreadPlaces> places_;  // by start only
  std::uint32_t processors_ = 1;          // that the process may use
  std::unique_ptr<Meeting> meeting_;      // by start, then the door's thread
  pthread_t door_thread_{};
  bool has_door_thread_ = false;  // started and not joined; by start and stop only

  base::Doorbell door_bell_;  // wakes the door's thread
  base::Doorbell wait_bell_;  // ends wait()

  struct Wish {
    std::string agent;
    std::uint32_t shard = 0;
  };
  queue::Intake<Wish, 64> wishes_{1};
  queue::Intake<Wish, 64>::Producer wish_producer_{wishes_.producer()};

  // Shared: each only ever goes from false to true, so that several may write it.
  base::Position<bool> drain_wanted_{false};  // read by the door's thread
  base::Position<bool> stop_wanted_{
      false};  // by stop, after stop_until_; read by the door's thread
  base::Position<bool> leave_wanted_{false};  // ends wait()
  base::Position<bool> shards_end_{false};    // by the door's thread, or where it did not start
  base::Position<bool> has_failed_{false};    // a thread met an exception: the node must go
  // Written by stop before stop_wanted_.
  base::Nanos stop_until_ = 0;
};

}  // namespace abuzz::node
