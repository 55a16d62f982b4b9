#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "bus/base/check.hpp"
#include "bus/link/peer_table.hpp"
#include "bus/link/zmq_socket.hpp"

namespace abuzz::link {

namespace {

// How many frames of strangers one call looks at, so that a flood of them cannot hold the shard.
constexpr int drops_per_call_max = 64;

// A ROUTER numbers its connections itself: a zero byte and 32 bits. A peer may bring a name of its
// own instead; nobody of ours does.
struct RoutingId {
  static constexpr std::size_t bytes = 5;
  std::array<unsigned char, bytes> raw{};

  explicit RoutingId(std::uint32_t connection = 0) noexcept {
    std::memcpy(raw.data() + 1, &connection, sizeof(connection));
  }
  std::uint32_t connection() const noexcept {
    std::uint32_t number = 0;
    std::memcpy(&number, raw.data() + 1, sizeof(number));
    return number;
  }
};

class ZmqHub final : public Hub {
 public:
  ZmqHub(detail::ZmqSocket socket, mem::Pool& pool, const Traits& traits, std::string endpoint)
      : traits_(traits),
        pool_(pool),
        endpoint_(std::move(endpoint)),
        socket_(std::move(socket)),
        incoming_(pool) {}

  const Traits& traits() const noexcept override { return traits_; }
  const std::string& endpoint() const noexcept override { return endpoint_; }
  void admit(PeerId peer, const Secret& secret) override { peers_.admit(peer, secret); }
  void expel(PeerId peer) noexcept override;
  SendStatus try_send(PeerId peer, Frame& frame) noexcept override;
  ReceiveStatus try_receive(PeerId& peer, Frame& frame) noexcept override;
  int wait_descriptor() const noexcept override { return socket_.wait_descriptor(); }
  bool has_input() noexcept override { return incoming_.pending() || socket_.events().input; }
  const HubCounters& counters() const noexcept override { return counters_; }

 private:
  enum class Next : std::uint8_t { frame, attached, dropped, empty };
  Next pull_next() noexcept;
  bool receive_routing_id(RoutingId& id, bool& known_shape) noexcept;

  // Constant after construction.
  const Traits traits_;
  mem::Pool& pool_;
  const std::string endpoint_;
  // The shard's thread.
  detail::ZmqSocket socket_;
  detail::PeerTable peers_;
  detail::IncomingFrame incoming_;
  PeerId incoming_peer_ = 0;  // whose frame `incoming_` is
  HubCounters counters_;
};

void ZmqHub::expel(PeerId peer) noexcept {
  peers_.expel(peer);
  if (incoming_.pending() && incoming_peer_ == peer) {
    incoming_.discard();
    ++counters_.strangers;
  }
}

// HOT: shard
SendStatus ZmqHub::try_send(PeerId peer, Frame& frame) noexcept {
  ABUZZ_CHECK(frame.part_count > 0 && frame.part_count <= frame_parts_max);
  for (std::size_t index = 0; index < frame.part_count; ++index) {
    if (frame.parts[index].bytes() > traits_.part_bytes_max) return SendStatus::too_large;
  }
  const detail::PeerTable::Entry* entry = peers_.find_peer(peer);
  if (entry == nullptr || !entry->attached) {
    ++counters_.unreachable;
    return SendStatus::closed;
  }
  detail::OutgoingFrame outgoing;
  if (!outgoing.prepare(frame, pool_)) {
    ++counters_.full;
    return SendStatus::full;
  }
  const RoutingId id(entry->connection);
  int sent = 0;
  do {
    sent = zmq_send(socket_.native(), id.raw.data(), id.raw.size(), ZMQ_DONTWAIT | ZMQ_SNDMORE);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    const bool is_full = errno == EAGAIN;
    ++(is_full ? counters_.full : counters_.unreachable);
    return is_full ? SendStatus::full : SendStatus::closed;
  }
  // From here a ROUTER takes every part: if the peer vanishes meanwhile it drops the whole frame
  // and still says yes, as it does for a peer that vanishes a moment later.
  const bool taken = outgoing.send(socket_.native());
  ABUZZ_CHECK(taken);
  frame.clear();
  return SendStatus::sent;
}

// HOT: shard
ReceiveStatus ZmqHub::try_receive(PeerId& peer, Frame& frame) noexcept {
  frame.clear();
  for (int drops = 0; !incoming_.pending() && drops < drops_per_call_max; ++drops) {
    switch (pull_next()) {
      case Next::frame:
      case Next::dropped:
        break;
      case Next::attached:
        peer = incoming_peer_;
        return ReceiveStatus::attached;
      case Next::empty:
        return ReceiveStatus::empty;
    }
  }
  if (!incoming_.pending() || !incoming_.try_convert(frame)) return ReceiveStatus::empty;
  peer = incoming_peer_;
  return ReceiveStatus::received;
}

// Takes one message off the socket. Only a frame stays in `incoming_`.
ZmqHub::Next ZmqHub::pull_next() noexcept {
  RoutingId id;
  bool known_shape = false;
  if (!receive_routing_id(id, known_shape)) return Next::empty;
  const auto pulled = incoming_.pull(socket_.native());
  const detail::PeerTable::Entry* entry = known_shape ? peers_.find(id.connection()) : nullptr;
  if (entry != nullptr && pulled == detail::IncomingFrame::Pulled::frame) {
    incoming_peer_ = entry->peer;
    return Next::frame;
  }
  if (entry != nullptr) {
    ++counters_.parts_refused;
    return Next::dropped;
  }
  Secret secret{};
  const bool is_greeting = known_shape && incoming_.read_secret(secret);
  incoming_.discard();
  if (is_greeting) entry = peers_.present(id.connection(), secret);
  if (entry == nullptr) {
    ++counters_.strangers;
    return Next::dropped;
  }
  incoming_peer_ = entry->peer;
  return Next::attached;
}

// False when nothing has arrived. A ROUTER always has at least one part behind the routing id.
bool ZmqHub::receive_routing_id(RoutingId& id, bool& known_shape) noexcept {
  // One byte more than ours, so that a longer name shows.
  std::array<unsigned char, RoutingId::bytes + 1> name{};
  int bytes = 0;
  do {
    bytes = zmq_recv(socket_.native(), name.data(), name.size(), ZMQ_DONTWAIT);
  } while (bytes < 0 && errno == EINTR);
  if (bytes < 0) return false;
  known_shape = bytes == static_cast<int>(RoutingId::bytes) && name[0] == 0;
  std::memcpy(id.raw.data(), name.data(), id.raw.size());
  return true;
}

}  // namespace

Result<std::unique_ptr<Hub>> bind_zmq_hub(ZmqContext& context, mem::Pool& pool,
                                          std::string_view endpoint, std::size_t part_bytes_max) {
  Result<detail::EndpointKind> kind = detail::check_endpoint(endpoint);
  if (!kind.ok()) return kind.failure();
  Result<detail::ZmqSocket> socket =
      detail::ZmqSocket::open(context, ZMQ_ROUTER, kind.value(), part_bytes_max, 0);
  if (!socket.ok()) return socket.failure();
  void* native = socket.value().native();
  if (zmq_bind(native, std::string(endpoint).c_str()) != 0) {
    return detail::zmq_failure("zmq_bind", endpoint);
  }
  std::array<char, 256> bound{};
  std::size_t bytes = bound.size();
  if (zmq_getsockopt(native, ZMQ_LAST_ENDPOINT, bound.data(), &bytes) != 0) {
    return detail::zmq_failure("zmq_getsockopt", endpoint);
  }
  const Traits traits{
      .same_process = false, .same_host = kind.value().same_host, .part_bytes_max = part_bytes_max};
  return std::unique_ptr<Hub>(
      std::make_unique<ZmqHub>(std::move(socket).value(), pool, traits, std::string(bound.data())));
}

}  // namespace abuzz::link
