#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "bus/error.hpp"

// The door carries admission, liveness and (later) descriptors between a local agent and its node:
// small datagrams, in order, whose hang-up is the death notice both ways. Never data.

namespace abuzz::link {

inline constexpr std::size_t door_datagram_bytes_max = 4096;

// The agent's side of one visit. Stays open as long as the session does. One thread at a time.
class DoorCall {
 public:
  enum class Status : std::uint8_t { done, empty, closed };
  virtual ~DoorCall() = default;
  // Requires: not empty. `empty`: would block (Linux queues about ten). Over the limit: the node
  // hangs up.
  virtual Status try_send(std::span<const std::byte> datagram) noexcept = 0;
  // `datagram` is resized to what arrived.
  virtual Status try_receive(std::vector<std::byte>& datagram) = 0;
  virtual int wait_descriptor() const noexcept = 0;  // -1 for loop
};

using CallerId = std::uint64_t;  // never reused within one DoorListener

struct Caller {
  CallerId id = 0;
  std::uint32_t uid = 0;
  std::uint32_t pid = 0;  // as the kernel states it (SO_PEERCRED)
};

// The node's side. One thread.
class DoorListener {
 public:
  enum class Event : std::uint8_t { none, datagram, hang_up };
  virtual ~DoorListener() = default;
  // Next thing that happened; a hang-up only of a caller that had said something. Callers beyond
  // `callers_max` are hung up on at once and counted; a caller that sent nothing for
  // `greeting_timeout` is hung up on too, when this is called next (see UnixDoorOptions).
  virtual Event try_next(Caller& caller, std::vector<std::byte>& datagram) = 0;
  // False: gone, empty, over the limit, or the caller does not read.
  virtual bool try_reply(CallerId caller, std::span<const std::byte> datagram) noexcept = 0;
  virtual void hang_up(CallerId caller) noexcept = 0;
  // Stops accepting; those inside stay. Also unlinks the name where there is one.
  virtual void shut() noexcept = 0;
  virtual int wait_descriptor() const noexcept = 0;  // -1 for loop
  virtual std::uint64_t turned_away() const noexcept = 0;
};

}  // namespace abuzz::link
