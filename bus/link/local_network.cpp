#include "bus/link/local_network.hpp"

#include <utility>

#include "bus/link/unix_door.hpp"

namespace abuzz::link {

LocalNetwork::LocalNetwork(std::string door_path, ZmqContext& context, mem::Pool& pool,
                           std::size_t part_bytes_max, int linger_ms)
    : door_path_(std::move(door_path)),
      context_(context),
      pool_(pool),
      part_bytes_max_(part_bytes_max),
      linger_ms_(linger_ms) {}

Result<std::unique_ptr<DoorCall>> LocalNetwork::call() {
  return call_unix_door(door_path_);
}

Result<std::unique_ptr<Link>> LocalNetwork::connect(std::string_view endpoint,
                                                    const Secret& secret) {
  return connect_zmq_link(context_, pool_, endpoint, secret, part_bytes_max_, linger_ms_);
}

}  // namespace abuzz::link
