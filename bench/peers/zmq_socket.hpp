#pragma once

#include <zmq.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include "bench/role.hpp"

// What the raw ZeroMQ systems share. They contain nothing of bus/.

namespace abuzz::bench {

// Of each pipe: 4 MiB, from 16 to 10,000 messages. Measured: at 64 B the default of ZeroMQ (1000)
// is 7 % slower and 30,000 no faster; at 64 KiB 1000 is a tenth slower than 64.
inline int high_water_messages(std::size_t bytes) noexcept {
  return static_cast<int>(std::clamp<std::size_t>((4u << 20) / bytes, 16, 10'000));
}

inline std::string zmq_failure(const char* call) {
  return std::string(call) + ": " + zmq_strerror(zmq_errno());
}

// One socket in a context of its own, with one I/O thread.
class ZmqSocket {
 public:
  ZmqSocket(int type, std::size_t bytes) : context_(zmq_ctx_new()) {
    zmq_ctx_set(context_.get(), ZMQ_IO_THREADS, 1);
    socket_.reset(zmq_socket(context_.get(), type));
    set(ZMQ_SNDHWM, high_water_messages(bytes));
    set(ZMQ_RCVHWM, high_water_messages(bytes));
    set(ZMQ_LINGER, -1);  // closing waits until everything left
  }
  void* get() const noexcept { return socket_.get(); }
  void set(int option, int value) noexcept {
    zmq_setsockopt(socket_.get(), option, &value, sizeof value);
  }
  // Blocks while there is no room.
  bool send(std::span<const std::byte> payload) noexcept {
    zmq_msg_t message;
    if (zmq_msg_init_size(&message, payload.size()) != 0) return false;
    std::memcpy(zmq_msg_data(&message), payload.data(), payload.size());
    return zmq_msg_send(&message, socket_.get(), 0) >= 0;
  }

 private:
  struct EndContext {
    void operator()(void* context) const noexcept { zmq_ctx_term(context); }
  };
  struct CloseSocket {
    void operator()(void* socket) const noexcept { zmq_close(socket); }
  };
  std::unique_ptr<void, EndContext> context_;
  std::unique_ptr<void, CloseSocket> socket_;
};

// One message; its bytes are ZeroMQ's.
class ZmqMessage {
 public:
  ZmqMessage() noexcept { zmq_msg_init(&message_); }
  ~ZmqMessage() { zmq_msg_close(&message_); }
  ZmqMessage(const ZmqMessage&) = delete;
  ZmqMessage& operator=(const ZmqMessage&) = delete;

  zmq_msg_t* get() noexcept { return &message_; }
  std::span<const std::byte> bytes() noexcept {
    return {static_cast<const std::byte*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
  }

 private:
  zmq_msg_t message_;
};

}  // namespace abuzz::bench
