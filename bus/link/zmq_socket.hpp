#pragma once

#include <zmq.h>

#include <array>
#include <cstddef>
#include <string_view>

#include "bus/error.hpp"
#include "bus/link/link.hpp"
#include "bus/link/zmq_link.hpp"
#include "bus/mem/pool.hpp"

// What the agent's link and the node's hub share: a socket with the house options, frames out of
// it and frames into it. Private to zmq_*.cpp, the only files of bus/ that name zmq.

namespace abuzz::link::detail {

// Parts of this size and more travel by reference. At 8 KiB libzmq's decoder gives a message its
// own allocation (8-aligned); below, messages share its receive buffer and start anywhere.
inline constexpr std::size_t reference_bytes_min = 8192;
// A backstop in messages; credit never reaches it. Not for what an agent sends: there EAGAIN has to
// mean one thing only, that the connection is gone.
inline constexpr int high_water_messages = 4096;

// What an endpoint says of itself.
struct EndpointKind {
  bool tcp = false;
  bool same_host = false;  // ipc, or a loopback address
};
// Refuses what is neither ipc nor tcp, abstract names, and paths that the kernel would cut.
Result<EndpointKind> check_endpoint(std::string_view endpoint);

// Owns one socket. Closing it never blocks; the context waits for the linger time.
class ZmqSocket {
 public:
  // `type`: ZMQ_DEALER or ZMQ_ROUTER.
  static Result<ZmqSocket> open(ZmqContext& context, int type, const EndpointKind& kind,
                                std::size_t part_bytes_max, int linger_ms);
  ZmqSocket(ZmqSocket&& other) noexcept;
  ZmqSocket& operator=(ZmqSocket&&) = delete;
  ~ZmqSocket();

  void* native() const noexcept { return native_; }
  int wait_descriptor() const noexcept { return descriptor_; }
  struct Events {
    bool input = false;
    bool output = false;
  };
  // Processes libzmq's commands and re-arms the descriptor.
  Events events() const noexcept;

 private:
  explicit ZmqSocket(void* native) noexcept : native_(native) {}
  void* native_;
  int descriptor_ = -1;
};

// The failure of a libzmq call that just returned an error.
Failure zmq_failure(std::string_view call, std::string_view endpoint);

// The parts of one frame as libzmq messages, prepared as a whole before the first is sent, because
// a frame that has begun must not fail for want of memory.
//
// Ownership: large parts share their buffer; the share and the pooled block that holds it return
// when libzmq drops the message, on one of its threads.
class OutgoingFrame {
 public:
  OutgoingFrame() noexcept = default;
  ~OutgoingFrame();
  OutgoingFrame(const OutgoingFrame&) = delete;
  OutgoingFrame& operator=(const OutgoingFrame&) = delete;

  // False when there is no memory; `frame` is never changed.
  bool prepare(const Frame& frame, mem::Pool& pool) noexcept;
  // Sends the parts. True when all were taken. Otherwise errno says why, and libzmq has dropped
  // what it had of the frame.
  bool send(void* socket) noexcept;

 private:
  std::array<zmq_msg_t, frame_parts_max> messages_;
  std::size_t prepared_count_ = 0;
  std::size_t sent_count_ = 0;
};

// One frame on its way in: whole libzmq messages first, then buffers. What the pool has no room
// for stays here until the next try.
//
// Ownership: a large part is adopted; its libzmq message lies in a small pooled block and is closed
// by whoever drops the last handle, on any thread, also after the socket is gone.
class IncomingFrame {
 public:
  explicit IncomingFrame(mem::Pool& pool) noexcept : pool_(pool) {}
  ~IncomingFrame() { discard(); }
  IncomingFrame(const IncomingFrame&) = delete;
  IncomingFrame& operator=(const IncomingFrame&) = delete;

  enum class Pulled : std::uint8_t { frame, empty, too_many_parts };
  // Takes the rest of one multipart message off the socket. Too many parts: all are dropped.
  // Requires: !pending().
  Pulled pull(void* socket) noexcept;
  bool pending() const noexcept { return pulled_count_ > 0; }
  // The secret of a frame that may be a greeting; false if it cannot be one.
  bool read_secret(Secret& secret) noexcept;
  // Moves the frame out. False while the pool has no room; what was converted is kept.
  bool try_convert(Frame& frame) noexcept;
  void discard() noexcept;

 private:
  bool try_convert_part(zmq_msg_t& message) noexcept;
  bool try_adopt(zmq_msg_t& message, std::size_t bytes) noexcept;

  mem::Pool& pool_;
  std::array<zmq_msg_t, frame_parts_max> messages_;
  std::size_t pulled_count_ = 0;
  std::size_t converted_count_ = 0;  // at most pulled_count_; messages below it are closed
  Frame converted_;
};

}  // namespace abuzz::link::detail
