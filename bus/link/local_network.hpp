#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "bus/link/network.hpp"
#include "bus/link/zmq_link.hpp"
#include "bus/mem/pool.hpp"

namespace abuzz::link {

// How an agent reaches the node of its own host: the AF_UNIX door at `door_path`, and ZeroMQ links
// at the endpoints that the node names. Ownership: context and pool outlive it and what it opens.
class LocalNetwork final : public Network {
 public:
  LocalNetwork(std::string door_path, ZmqContext& context, mem::Pool& pool,
               std::size_t part_bytes_max, int linger_ms);

  Result<std::unique_ptr<DoorCall>> call() override;
  Result<std::unique_ptr<Link>> connect(std::string_view endpoint, const Secret& secret) override;

 private:
  const std::string door_path_;
  ZmqContext& context_;
  mem::Pool& pool_;
  const std::size_t part_bytes_max_;
  const int linger_ms_;
};

}  // namespace abuzz::link
