#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bus/base/position.hpp"
#include "bus/base/units.hpp"
#include "bus/config.hpp"
#include "bus/link/door.hpp"
#include "bus/link/link.hpp"
#include "bus/mem/pool.hpp"
#include "bus/node/host.hpp"
#include "bus/node/junction.hpp"
#include "bus/node/peer_log.hpp"
#include "bus/node/reception.hpp"
#include "bus/node/shard.hpp"
#include "bus/node/state_file.hpp"
#include "bus/stats.hpp"

namespace abuzz::node {

// A whole node but for its threads and files: reception, a shard, and their upkeep. A simulation
// steps it over a loop network; NodeThreads runs its halves on threads.
//
// Threads: do_work and next_deadline by one thread that is alone with it. Otherwise reception() and
// tend() belong to the door's thread and shard() to the shard's, as far as those classes say.
// Ownership: everything that Parts refers to outlives it; the counters are its own.
class NodeCore {
 public:
  struct Parts {
    const Config& config;
    const NodeIdentity& identity;
    link::DoorListener& door;
    link::Hub& hub;
    mem::Pool& pool;
    Host& host;
    std::unique_ptr<StatsFile> stats;
    bool managed = false;
    LogSink log = {};
    std::vector<delivery::Owed> owed = {};  // by the node before this one
  };
  // How many rows the counters of a node may need; memory is taken where they are used.
  static std::size_t stats_rows_max(const Config& config) noexcept;

  NodeCore(Parts&& parts, base::Nanos now);

  std::size_t do_work(base::Nanos now, base::Nanos wall_now);
  base::Nanos next_deadline() const;

  // What nobody waits for: the node's own beat, the pool's size, counters that are copies.
  std::size_t tend(base::Nanos now);
  base::Nanos next_tending() const noexcept { return tend_at_; }
  // Buffers were asked for in vain since the pool was last looked after: tend() should run. Any
  // thread.
  bool has_new_misses() const noexcept;

  Reception& reception() noexcept { return reception_; }
  const Reception& reception() const noexcept { return reception_; }
  Shard& shard() noexcept { return shard_; }
  const Shard& shard() const noexcept { return shard_; }
  Junction& junction() noexcept { return junction_; }
  const Junction& junction() const noexcept { return junction_; }
  StatsFile& stats() noexcept { return *parts_.stats; }

 private:
  Parts parts_;
  PeerLog log_;
  Junction junction_;
  Shard shard_;
  Reception reception_;
  base::Nanos tend_at_;
  base::Nanos maintain_earliest_;
  base::Position<std::uint64_t> misses_tended_;  // written by tend
};

}  // namespace abuzz::node
