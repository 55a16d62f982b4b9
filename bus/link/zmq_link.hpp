#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "bus/error.hpp"
#include "bus/link/link.hpp"
#include "bus/mem/pool.hpp"

// Links over ZeroMQ (ipc and tcp): DEALER at the agent, ROUTER at the node. zmq_*.cpp are the only
// files of bus/ that name zmq. Sockets: LINGER 0, RECONNECT_IVL -1, MAXMSGSIZE set, IMMEDIATE off
// (the secret must be taken before the connection stands), ROUTER_MANDATORY. High-water marks at
// the hub, and for what a link receives, are a backstop that credit never reaches; what a link
// sends has none, so that a send that is refused always means `closed`. Parts of 8 KiB and more are
// sent by reference and received by adoption; smaller ones are copied. Each part by reference takes
// one block of the pool's smallest class while it is on its way, besides its own.

namespace abuzz::link {

// One libzmq context: its I/O and reaper threads. Outlives its links and hubs. The pools of
// those must outlive the context: libzmq gives the last buffers back when it ends. The destructor
// waits at most for the linger time of the links.
class ZmqContext {
 public:
  static Result<std::unique_ptr<ZmqContext>> open(int io_threads = 1);
  ~ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;
  void* native() const noexcept { return native_; }
  // What the system calls its first I/O thread: no other thread of this process has that name.
  const std::string& io_thread_name() const noexcept { return io_thread_name_; }

 private:
  ZmqContext(void* native, int number);
  void* native_;
  const std::string io_thread_name_;
};

// `endpoint`: ipc://PATH (at most 107 bytes of path, not abstract) or tcp://HOST:PORT (port * is
// any; the bound one is in endpoint()).
Result<std::unique_ptr<Hub>> bind_zmq_hub(ZmqContext& context, mem::Pool& pool,
                                          std::string_view endpoint, std::size_t part_bytes_max);
// `linger_ms` bounds how long the destructor's context may still send what was taken (0: nothing).
Result<std::unique_ptr<Link>> connect_zmq_link(ZmqContext& context, mem::Pool& pool,
                                               std::string_view endpoint, const Secret& secret,
                                               std::size_t part_bytes_max, int linger_ms);

}  // namespace abuzz::link
