#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "bus/base/clock.hpp"
#include "bus/base/random.hpp"
#include "bus/link/network.hpp"
#include "bus/mem/pool.hpp"

namespace abuzz::link {

// A whole network in one thread, for tests and simulation: a door and hubs by name, links between
// them, with faults that the test asks for. Frames keep their buffers (no copy). Delays follow the
// clock that is handed in; within one link and direction order is kept.
//
// Threads: one for the simulation; with `locked` set, any (a mutex), for sanitizer runs with real
// threads. Ownership: outlives its doors, hubs and links.
class LoopNetwork final : public Network {
 public:
  struct Faults {
    base::Nanos delay_min = 0;  // of a frame or datagram, uniform in [min, max]
    base::Nanos delay_max = 0;
    std::uint64_t lose_one_in = 0;  // frames; 0: none
  };

  LoopNetwork(base::Clock& clock, std::uint64_t seed, bool locked = false);
  ~LoopNetwork() override;

  void set_faults(const Faults& faults);

  // The node's side. Only one listener at a time may be open, as with a real door. Destroying it
  // hangs up on all callers, as a kill would; destroying a hub closes all its links.
  Result<std::unique_ptr<DoorListener>> listen();
  Result<std::unique_ptr<Hub>> bind(std::string_view name);

  // The agent's side.
  Result<std::unique_ptr<DoorCall>> call() override;
  Result<std::unique_ptr<Link>> connect(std::string_view endpoint, const Secret& secret) override;

  // Cuts every link (not the doors) that is open now: both ends see closed.
  void cut_links();
  // Earliest time at which something delayed becomes visible, or a negative number for none.
  base::Nanos next_event() const;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace abuzz::link
