#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "bus/mem/buffer.hpp"

// A link moves frames between an agent's process and a node, in order, without looking into them.
// `Link` is the agent's end, `Hub` the node's end of all its links.

namespace abuzz::link {

inline constexpr std::size_t frame_parts_max = 17;

// One frame as 1 to 17 buffers. What is sent as n parts is received as n parts with the same bytes.
struct Frame {
  std::array<mem::Buffer, frame_parts_max> parts;
  std::size_t part_count = 0;

  void clear() noexcept {
    for (std::size_t index = 0; index < part_count; ++index) parts[index].reset();
    part_count = 0;
  }
  // Requires: part_count < frame_parts_max.
  void add(mem::Buffer&& part) noexcept { parts[part_count++] = static_cast<mem::Buffer&&>(part); }
  std::size_t bytes() const noexcept {
    std::size_t sum = 0;
    for (std::size_t index = 0; index < part_count; ++index) sum += parts[index].bytes();
    return sum;
  }
};

struct Traits {
  bool same_process = false;       // the loop link
  bool same_host = false;          // bytes do not leave the machine: never compressed
  std::size_t part_bytes_max = 0;  // of one part; a larger one is refused by both ends
};

enum class SendStatus : std::uint8_t {
  sent,       // the frame was taken and emptied
  full,       // a bound that credit should never reach; the frame is unchanged, try later
  too_large,  // a part over part_bytes_max; unchanged
  closed,     // the other end is gone, or was never there; unchanged
};

enum class ReceiveStatus : std::uint8_t {
  received,
  empty,
  attached,  // Hub only: an admitted peer presented its secret; `frame` is empty
  closed,    // Link only: the other end is known to be gone (a link need not notice by itself)
};

using Secret = std::array<std::byte, 16>;
// The node's own name for a link; never reused within one Hub.
using PeerId = std::uint64_t;

// The agent's end. Threads: one at a time (whoever is inside the session's Combiner), except
// wait_descriptor, which any thread may poll. Nothing blocks. Received buffers are pooled, or
// adopted from the library; they stay valid after the link is closed, as long as the pool lives.
class Link {
 public:
  virtual ~Link() = default;
  virtual const Traits& traits() const noexcept = 0;
  // Either the whole frame is taken, or nothing.
  virtual SendStatus try_send(Frame& frame) noexcept = 0;
  // On received: `frame` (which is cleared first) holds the parts.
  virtual ReceiveStatus try_receive(Frame& frame) noexcept = 0;
  // Readable when something may have arrived; -1 where there is none (loop). It is edge-triggered:
  // after any call on this object, has_input() must be asked before sleeping on it.
  virtual int wait_descriptor() const noexcept = 0;
  virtual bool has_input() noexcept = 0;
};

struct HubCounters {
  std::uint64_t strangers = 0;      // frames from connections that presented no valid secret
  std::uint64_t unreachable = 0;    // sends to a peer that is no longer connected
  std::uint64_t full = 0;           // sends refused by a high-water mark
  std::uint64_t parts_refused = 0;  // frames with too many parts
};

// The node's end: all links of one shard. Threads: one (the shard's), except wait_descriptor.
class Hub {
 public:
  virtual ~Hub() = default;
  virtual const Traits& traits() const noexcept = 0;
  // What an agent needs to connect, e.g. ipc:///run/user/1000/abuzz/shard-0-7.ipc
  virtual const std::string& endpoint() const noexcept = 0;
  // From now on a connection whose first message is `secret` is `peer`. A secret is good for one
  // connection; a second one that presents it is a stranger.
  virtual void admit(PeerId peer, const Secret& secret) = 0;
  // Forgets a peer: what it sends is counted and dropped, what is sent to it is `closed`.
  virtual void expel(PeerId peer) noexcept = 0;
  // To a peer that has not attached yet: closed.
  virtual SendStatus try_send(PeerId peer, Frame& frame) noexcept = 0;
  virtual ReceiveStatus try_receive(PeerId& peer, Frame& frame) noexcept = 0;
  virtual int wait_descriptor() const noexcept = 0;
  virtual bool has_input() noexcept = 0;
  virtual const HubCounters& counters() const noexcept = 0;
};

}  // namespace abuzz::link
