#include <zmq.h>

#include <cerrno>
#include <string>

#include "bench/peers/peers.hpp"
#include "bench/peers/zmq_driver.hpp"
#include "bench/systems.hpp"

// The raw control: what somebody gets who relays over ZeroMQ without Abuzz. One message a frame
// through DEALER - ROUTER - DEALER over ipc, three processes, filled and checked like Abuzz's.
//
// It loses nothing and holds a bounded number of messages: the ROUTER is mandatory and sends
// blocking, so a full pipe to a sink holds the relay, a full pipe to the relay holds the source,
// each at the high-water mark. It contains nothing of bus/.

namespace abuzz::bench {
namespace {

constexpr int idle_ms = 100;  // how often the waiting relay looks at its stdin

// A routing id of two bytes: the channel on which the client receives, or sends; and its number.
// The relay hands what a source of a channel sends to every sink of it: sink ids are capitals.
struct ClientId {
  char channel = 0;
  char number = 0;
};

std::string endpoint_of(const RoleOptions& options) {
  return "ipc://" + options.directory + "/relay";
}

ClientId id_of(const RoleOptions& options) {
  const auto number = static_cast<char>('a' + options.source);
  if (options.role == "publisher") return {'d', number};
  if (options.role == "subscriber" || options.role == "laggard") return {'D', number};
  return {options.role == "pinger" ? 'p' : 'q', number};
}

class Relay {
 public:
  Relay(const RoleOptions& options) : sinks_(options.sinks), router_(ZMQ_ROUTER, options.bytes) {
    router_.set(ZMQ_ROUTER_MANDATORY, 1);
    router_.set(ZMQ_RCVTIMEO, idle_ms);
  }
  ZmqSocket& socket() noexcept { return router_; }

  enum class Relayed : std::uint8_t { one, none, refused };
  // Moves one message from its source to the sinks of its channel. An empty one goes back: so a
  // client learns that the relay knows it.
  Relayed step(int flags) noexcept {
    ZmqMessage sender, payload;
    if (zmq_msg_recv(sender.get(), router_.get(), flags) < 0)
      return zmq_errno() == EAGAIN || zmq_errno() == EINTR ? Relayed::none : Relayed::refused;
    if (zmq_msg_recv(payload.get(), router_.get(), 0) < 0) return Relayed::refused;
    const char* from = static_cast<const char*>(zmq_msg_data(sender.get()));
    if (zmq_msg_size(payload.get()) == 0) return pass({from[0], from[1]}, payload);
    if (from[0] == 'p') return pass({'q', 'a'}, payload);
    if (from[0] == 'q') return pass({'p', 'a'}, payload);
    for (unsigned sink = 0; sink + 1 < sinks_; ++sink) {
      ZmqMessage copy;
      zmq_msg_copy(copy.get(), payload.get());
      if (pass({'D', static_cast<char>('a' + sink)}, copy) == Relayed::refused)
        return Relayed::refused;
    }
    return pass({'D', static_cast<char>('a' + sinks_ - 1)}, payload);
  }

 private:
  Relayed pass(ClientId target, ZmqMessage& payload) noexcept {
    if (zmq_send(router_.get(), &target, sizeof target, ZMQ_SNDMORE) < 0) return Relayed::refused;
    return zmq_msg_send(payload.get(), router_.get(), 0) < 0 ? Relayed::refused : Relayed::one;
  }

  const unsigned sinks_;
  ZmqSocket router_;
};

bool run_hub(const RoleOptions& options, RoleChannel& channel) {
  Relay relay(options);
  if (zmq_bind(relay.socket().get(), endpoint_of(options).c_str()) != 0) {
    channel.failed(zmq_failure("zmq_bind"));
    return false;
  }
  channel.ready();
  using Relayed = Relay::Relayed;
  Relayed relayed = Relayed::none;
  do {
    do {
      relayed = relay.step(ZMQ_DONTWAIT);
    } while (relayed == Relayed::one);
    if (relayed == Relayed::none) relayed = relay.step(0);
    if (relayed == Relayed::refused) {
      channel.failed(zmq_failure("relay"));
      return false;
    }
  } while (relayed == Relayed::one || !(channel.line(0) || channel.is_ended()));
  relay.socket().set(ZMQ_LINGER, 0);
  channel.done({});
  return true;
}

// It stays connected until its role is over: libzmq loses what the relay has not read yet when a
// connection closes while the relay's pipe is full (restart_input after io_error in
// stream_engine.cpp).
class RelayClient final : public ZmqDriver {
 public:
  explicit RelayClient(const RoleOptions& options) : ZmqDriver(options, ZMQ_DEALER) {
    const ClientId id = id_of(options);
    zmq_setsockopt(socket_.get(), ZMQ_ROUTING_ID, &id, sizeof id);
  }
  // Returns when the relay knows this client: an empty message goes there and comes back.
  bool open(const Sink& sink) override {
    sink_ = sink;
    if (zmq_connect(socket_.get(), endpoint_of(options_).c_str()) != 0 ||
        zmq_send(socket_.get(), "", 0, 0) != 0)
      return fail(zmq_failure("zmq_connect"));
    socket_.set(ZMQ_RCVTIMEO, 10'000);
    ZmqMessage welcome;
    if (zmq_msg_recv(welcome.get(), socket_.get(), 0) < 0) return fail(zmq_failure("no relay"));
    return true;
  }
};

}  // namespace

const System zmq_system = {
    .name = "zmq",
    .route = "DEALER - ROUTER - DEALER over ipc, one message a frame, relayed by a process",
    .waiting = "blocking in the kernel, no spinning; the relay drains, then blocks",
    .hub = run_hub,
    .make_driver = [](const RoleOptions& options) -> std::unique_ptr<Driver> {
      return std::make_unique<RelayClient>(options);
    },
};

}  // namespace abuzz::bench
