#include <cerrno>
#include <string>
#include <utility>

#include "bus/base/check.hpp"
#include "bus/link/zmq_socket.hpp"

namespace abuzz::link {

namespace {

class ZmqLink final : public Link {
 public:
  ZmqLink(detail::ZmqSocket socket, mem::Pool& pool, const Traits& traits)
      : traits_(traits), pool_(pool), socket_(std::move(socket)), incoming_(pool) {}

  const Traits& traits() const noexcept override { return traits_; }
  SendStatus try_send(Frame& frame) noexcept override;
  ReceiveStatus try_receive(Frame& frame) noexcept override;
  int wait_descriptor() const noexcept override { return socket_.wait_descriptor(); }
  bool has_input() noexcept override;

 private:
  // Constant after construction.
  const Traits traits_;
  mem::Pool& pool_;
  // One user at a time.
  detail::ZmqSocket socket_;
  detail::IncomingFrame incoming_;
  bool is_over_ = false;           // the connection is gone; it never comes back
  bool is_over_reported_ = false;  // the owner was told so
};

// HOT: sender
SendStatus ZmqLink::try_send(Frame& frame) noexcept {
  ABUZZ_CHECK(frame.part_count > 0 && frame.part_count <= frame_parts_max);
  if (is_over_) return SendStatus::closed;
  for (std::size_t index = 0; index < frame.part_count; ++index) {
    if (frame.parts[index].bytes() > traits_.part_bytes_max) return SendStatus::too_large;
  }
  detail::OutgoingFrame outgoing;
  if (!outgoing.prepare(frame, pool_)) return SendStatus::full;
  if (!outgoing.send(socket_.native())) {
    // No high-water mark stands in the way, so the pipe is gone, perhaps in mid-frame.
    is_over_ = true;
    return SendStatus::closed;
  }
  frame.clear();
  return SendStatus::sent;
}

// HOT: receiver
ReceiveStatus ZmqLink::try_receive(Frame& frame) noexcept {
  frame.clear();
  if (!incoming_.pending()) {
    switch (incoming_.pull(socket_.native())) {
      case detail::IncomingFrame::Pulled::frame:
        break;
      case detail::IncomingFrame::Pulled::empty:
        is_over_reported_ = is_over_;
        return is_over_ ? ReceiveStatus::closed : ReceiveStatus::empty;
      case detail::IncomingFrame::Pulled::too_many_parts:
        // A frame is missing now, so the link is of no more use.
        is_over_ = true;
        is_over_reported_ = true;
        return ReceiveStatus::closed;
    }
  }
  return incoming_.try_convert(frame) ? ReceiveStatus::received : ReceiveStatus::empty;
}

// A connection that ends takes its pipe with it, which wakes the descriptor; without a pipe nothing
// can be sent. One that never came about keeps its pipe: the session's deadline is for that.
bool ZmqLink::has_input() noexcept {
  if (incoming_.pending()) return true;
  const detail::ZmqSocket::Events events = socket_.events();
  is_over_ = is_over_ || !events.output;
  return events.input || (is_over_ && !is_over_reported_);
}

}  // namespace

Result<std::unique_ptr<Link>> connect_zmq_link(ZmqContext& context, mem::Pool& pool,
                                               std::string_view endpoint, const Secret& secret,
                                               std::size_t part_bytes_max, int linger_ms) {
  Result<detail::EndpointKind> kind = detail::check_endpoint(endpoint);
  if (!kind.ok()) return kind.failure();
  Result<detail::ZmqSocket> socket =
      detail::ZmqSocket::open(context, ZMQ_DEALER, kind.value(), part_bytes_max, linger_ms);
  if (!socket.ok()) return socket.failure();
  void* native = socket.value().native();
  if (zmq_connect(native, std::string(endpoint).c_str()) != 0) {
    return detail::zmq_failure("zmq_connect", endpoint);
  }
  // The pipe exists from connect on (IMMEDIATE is off for that reason), so this is taken at once.
  if (zmq_send(native, secret.data(), secret.size(), ZMQ_DONTWAIT) < 0) {
    return detail::zmq_failure("zmq_send", endpoint);
  }
  const Traits traits{
      .same_process = false, .same_host = kind.value().same_host, .part_bytes_max = part_bytes_max};
  return std::unique_ptr<Link>(std::make_unique<ZmqLink>(std::move(socket).value(), pool, traits));
}

}  // namespace abuzz::link
