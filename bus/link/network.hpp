#pragma once

#include <memory>
#include <string_view>

#include "bus/error.hpp"
#include "bus/link/door.hpp"
#include "bus/link/link.hpp"

namespace abuzz::link {

// How an agent reaches its node: the real one (AF_UNIX door, ZeroMQ links) or the loop, in which a
// test is the network. Threads: one at a time.
class Network {
 public:
  virtual ~Network() = default;
  // Error::no_node when nobody listens.
  virtual Result<std::unique_ptr<DoorCall>> call() = 0;
  // Opens a link and presents the secret on it. Does not wait for the other end.
  virtual Result<std::unique_ptr<Link>> connect(std::string_view endpoint,
                                                const Secret& secret) = 0;
};

}  // namespace abuzz::link
