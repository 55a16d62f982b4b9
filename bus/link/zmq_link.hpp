#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "bus/error.hpp"
#include "bus/link/link.hpp"
#include "bus/mem/pool.hpp"

// Links over ZeroMQ (ipc and tcp): DEALER at the agent, ROUTER at the node. zmq_link.cpp is the only
// file of bus/ that names zmq. Sockets: LINGER 0, RECONNECT_IVL -1, MAXMSGSIZE set, IMMEDIATE,
// ROUTER_MANDATORY, high-water marks as a backstop that credit never reaches. Parts of 8 KiB and
// more are sent by reference and received by adoption; smaller ones are copied.

namespace abuzz::link {

// One libzmq context: its I/O and reaper threads. Outlives its links and hubs. close() must not
// hang: all sockets have LINGER 0.
class ZmqContext {
 public:
  static Result<std::unique_ptr<ZmqContext>> open(int io_threads = 1);
  ~ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;
  void* native() const noexcept { return native_; }

 private:
  explicit ZmqContext(void* native) noexcept : native_(native) {}
  void* native_;
};

// `endpoint`: ipc://PATH (at most 107 bytes of path, not abstract) or tcp://HOST:PORT (port * = any;
// the bound one is in endpoint()).
Result<std::unique_ptr<Hub>> bind_zmq_hub(ZmqContext& context, mem::Pool& pool,
                                          std::string_view endpoint, std::size_t part_bytes_max);
// `linger_ms` bounds how long the destructor's context may still send what was taken (0: nothing).
Result<std::unique_ptr<Link>> connect_zmq_link(ZmqContext& context, mem::Pool& pool,
                                               std::string_view endpoint, const Secret& secret,
                                               std::size_t part_bytes_max, int linger_ms);

}  // namespace abuzz::link
