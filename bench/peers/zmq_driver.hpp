#pragma once

#include <zmq.h>

#include <cstdint>
#include <utility>

#include "bench/driver.hpp"
#include "bench/peers/zmq_socket.hpp"
#include "bench/time.hpp"

namespace abuzz::bench {

// What the raw ZeroMQ systems do alike: one socket, one message a frame, blocking in the kernel.
// Where it connects to is theirs.
class ZmqDriver : public Driver {
 public:
  bool send(std::span<const std::byte> payload) override {
    return socket_.send(payload) || fail(zmq_failure("zmq_msg_send"));
  }
  bool receive(std::int64_t patience_ns) override {
    if (std::exchange(patience_ns_, patience_ns) != patience_ns)
      socket_.set(ZMQ_RCVTIMEO, static_cast<int>(patience_ns / millisecond_ns));
    ZmqMessage message;
    if (zmq_msg_recv(message.get(), socket_.get(), 0) < 0)
      return zmq_errno() == EAGAIN || zmq_errno() == EINTR || fail(zmq_failure("zmq_msg_recv"));
    sink_(message.bytes());
    ++taken_;
    return true;
  }
  std::uint64_t taken() const noexcept override { return taken_; }

 protected:
  ZmqDriver(const RoleOptions& options, int type)
      : options_(options), socket_(type, options.bytes) {}

  const RoleOptions options_;
  ZmqSocket socket_;
  Sink sink_;

 private:
  std::int64_t patience_ns_ = -1;
  std::uint64_t taken_ = 0;
};

}  // namespace abuzz::bench
