#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bus/link/loop_network.hpp"
#include "bus/link/peer_table.hpp"
#include "bus/link/ring.hpp"

// The inside of a LoopNetwork: pipes between ends that may go away at any time. Private to
// loop_*.cpp.
// Threads: whoever holds the lock of State (a no-op unless `locked`). The ends share their pipe:
// shared_ptr, because either may be the last to go.

namespace abuzz::link::detail {

// As of a frame of the real thing (conf: 1 MiB of payload and its envelope).
inline constexpr std::size_t loop_part_bytes_max = (1024 + 64) * 1024;
inline constexpr std::size_t loop_frames_max = 4096;   // on their way in one direction
inline constexpr std::size_t loop_datagrams_max = 10;  // as Linux has it (net.unix.max_dgram_qlen)

// One direction. What is put in becomes visible in order, each item not before its time.
template <class Item>
struct Stream {
  struct Entry {
    base::Nanos due = 0;
    Item item;
  };
  Ring<Entry> entries;

  bool is_due(base::Nanos now) const noexcept {
    return !entries.empty() && entries.front().due <= now;
  }
  // The first time after `now` at which something becomes visible; negative for none.
  base::Nanos next_due(base::Nanos now) const noexcept {
    for (std::size_t index = 0; index < entries.count(); ++index) {
      if (entries.at(index).due > now) return entries.at(index).due;
    }
    return -1;
  }
  Item& push(base::Nanos due) {
    if (!entries.empty() && entries.back().due > due) due = entries.back().due;
    Entry& entry = entries.push();
    entry.due = due;
    return entry.item;
  }
};

void clear_frames(Stream<Frame>& stream) noexcept;

struct LoopLinkPipe {
  Stream<Frame> to_hub;
  Stream<Frame> to_link;
  Secret secret{};
  base::Nanos greeting_due = 0;  // when the hub sees the secret
  bool greeted = false;          // the hub has seen it
  std::uint32_t connection = 0;  // its number at the hub
  bool link_open = true;
  bool hub_open = true;

  // Both ends see closed, and what was on its way is lost.
  void cut() noexcept;
  // Nothing of it will ever reach the hub again.
  bool is_over_for_hub() const noexcept {
    return !hub_open || (!link_open && greeted && to_hub.entries.empty());
  }
};

struct LoopHubState {
  std::string endpoint;
  std::vector<std::shared_ptr<LoopLinkPipe>> pipes;  // by connection, ascending
  std::uint32_t last_connection = 0;
};

struct LoopVisit {
  Stream<std::vector<std::byte>> to_node;
  Stream<std::vector<std::byte>> to_agent;
  Caller caller;
  base::Nanos deadline = 0;
  bool has_spoken = false;
  bool agent_open = true;
  bool node_open = true;
};

struct LoopDoorState {
  std::vector<std::shared_ptr<LoopVisit>> visits;
  std::uint64_t turned_away = 0;
};

}  // namespace abuzz::link::detail

namespace abuzz::link {

struct LoopNetwork::State {
  State(base::Clock& clock_in, std::uint64_t seed, bool locked_in)
      : clock(clock_in), random(seed), locked(locked_in) {}

  // Held for each operation of an end.
  std::unique_lock<std::mutex> lock() {
    return locked ? std::unique_lock(mutex) : std::unique_lock<std::mutex>();
  }
  // When what is sent now becomes visible.
  base::Nanos draw_due();
  bool draw_loss();

  base::Clock& clock;
  base::Random random;
  const bool locked;
  std::mutex mutex;
  Faults faults;
  // The open ones; each end takes itself out when it goes.
  detail::LoopDoorState* door = nullptr;
  std::vector<detail::LoopHubState*> hubs;
  // All that may still carry something, for cut_links and next_event.
  std::vector<std::weak_ptr<detail::LoopLinkPipe>> pipes;
  std::vector<std::weak_ptr<detail::LoopVisit>> visits;
  CallerId last_caller = 0;
};

namespace detail {

using LoopStatePointer = std::shared_ptr<LoopNetwork::State>;

std::unique_ptr<DoorListener> make_loop_listener(LoopStatePointer state);
std::unique_ptr<DoorCall> make_loop_call(LoopStatePointer state);
std::unique_ptr<Hub> make_loop_hub(LoopStatePointer state, std::string endpoint);
std::unique_ptr<Link> make_loop_link(LoopStatePointer state, std::string_view endpoint,
                                     const Secret& secret);

}  // namespace detail

}  // namespace abuzz::link
