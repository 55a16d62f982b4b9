#pragma once

#include <pthread.h>
#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "bus/base/clock.hpp"
#include "bus/base/doorbell.hpp"
#include "bus/base/position.hpp"
#include "bus/config.hpp"
#include "bus/error.hpp"
#include "bus/link/door.hpp"
#include "bus/link/zmq_link.hpp"
#include "bus/mem/pool.hpp"
#include "bus/node/host.hpp"
#include "bus/node/node_core.hpp"
#include "bus/node/runtime_directory.hpp"
#include "bus/node/thread_places.hpp"

namespace abuzz::node {

// A node that runs: its files, its sockets, and two threads around a NodeCore.
//
// Threads: start, stop, wait and the destructor by one; drain and request_stop by any, the latter
// also in a signal handler. Inside, the door's thread runs reception and is the one that ends
// everything; the shard's thread runs the shard and its hub.
// Invariants: the door opens last and shuts first. When the door's thread has ended, the shard's
// thread has too, and the runtime directory is free for the next node.
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
  void wait() noexcept;
  void request_stop() noexcept;

  // False in a child that this process forked: there its threads do not exist, and its sockets and
  // files are still the parent's. Such a copy must be neither used nor destroyed.
  bool is_own_process() const noexcept { return getpid() == process_; }

  const NodeIdentity& identity() const noexcept { return directory_.identity(); }
  const std::string& runtime_directory() const noexcept { return directory_.paths().directory; }

 private:
  NodeThreads(const Config& config, RuntimeDirectory&& directory);

  Status open(bool managed, LogSink&& log);
  Status start_threads();
  static void* door_main(void* self) noexcept;
  static void* shard_main(void* self) noexcept;
  // Requires: the door's thread.
  void run_door();
  void hear_wishes(base::Nanos now);
  void finish() noexcept;
  // Requires: the shard's thread.
  void run_shard();
  void note_sleep(base::Nanos awake_since) noexcept;

  const pid_t process_ = getpid();
  // Constant after start. Destroyed from the end: buffers go home before their pool.
  const Config config_;
  RuntimeDirectory directory_;
  base::SystemClock clock_;
  SystemHost host_;
  mem::ProcessMemory memory_;
  std::unique_ptr<mem::Pool> pool_;
  std::unique_ptr<link::ZmqContext> context_;
  std::unique_ptr<link::Hub> hub_;
  std::unique_ptr<link::DoorListener> door_;
  std::unique_ptr<NodeCore> core_;
  std::unique_ptr<ThreadPlaces> places_;  // by start only
  pthread_t door_thread_{};
  pthread_t shard_thread_{};
  bool has_door_thread_ = false;  // started and not joined; by start and stop only

  base::Doorbell door_bell_;   // wakes the door's thread
  base::Doorbell shard_bell_;  // wakes the shard's thread
  base::Doorbell wait_bell_;   // ends wait()

  // Shared: each only ever goes from false to true, so that several may write it.
  base::Position<bool> drain_wanted_{false};  // read by the door's thread
  base::Position<bool> stop_wanted_{
      false};  // by stop, after stop_until_; read by the door's thread
  base::Position<bool> leave_wanted_{false};  // ends wait()
  base::Position<bool> shard_end_{false};     // by the door's thread or, failing, the shard's
  base::Position<bool> has_failed_{false};    // a thread met an exception: the node must go
  // Written by stop before stop_wanted_.
  base::Nanos stop_until_ = 0;
};

}  // namespace abuzz::node
