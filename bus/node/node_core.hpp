#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
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

// A whole node but for its threads and files: reception, shards, and their upkeep. A simulation
// steps it over a loop network; NodeThreads runs its parts on threads.
//
// Threads: do_work and next_deadline by one thread that is alone with it. Otherwise reception() and
// tend() belong to the door's thread and each shard to its own, as far as those classes say.
// Ownership: everything that Parts refers to outlives it; the counters are its own.
class NodeCore {
 public:
  struct Parts {
    const Config& config;
    const NodeIdentity& identity;
    link::DoorListener& door;
    struct Place {
      link::Hub* hub = nullptr;
      std::uint32_t cache = 0;  // the L3 of the shard's thread, where that is known
    };
    std::vector<Place> places;  // one a shard
    mem::Pool& pool;
    Host& host;
    std::unique_ptr<StatsFile> stats;
    bool managed = false;
    LogSink log = {};
    std::vector<delivery::Owed> owed = {};  // by the node before this one
    base::Clock* clock = nullptr;           // see Shard::Parts
    // Wakes a shard; not needed where one thread steps all.
    std::function<void(std::uint32_t shard)> wake = {};
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
  std::uint32_t shard_count() const noexcept { return static_cast<std::uint32_t>(shards_.size()); }
  Shard& shard(std::uint32_t index) noexcept { return *shards_[index]; }
  Junction& junction() noexcept { return junction_; }
  const Junction& junction() const noexcept { return junction_; }
  StatsFile& stats() noexcept { return *parts_.stats; }

 private:
  std::vector<std::unique_ptr<Shard>> make_shards();
  std::vector<Reception::Place> places() const;

  Parts parts_;
  PeerLog log_;
  Junction junction_;
  std::vector<std::unique_ptr<Shard>> shards_;
  Reception reception_;
  base::Nanos tend_at_;
  base::Nanos maintain_earliest_;
  base::Position<std::uint64_t> misses_tended_;  // written by tend
};

}  // namespace abuzz::node
