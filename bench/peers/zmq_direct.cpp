#include <zmq.h>

#include <cerrno>
#include <string>

#include "bench/driver.hpp"
#include "bench/peers/peers.hpp"
#include "bench/peers/zmq_socket.hpp"
#include "bench/systems.hpp"
#include "bench/time.hpp"

// Raw ZeroMQ without anything between two processes: PUSH - PULL over ipc, PAIR for round trips.
// PUB - SUB would be the pattern for several sinks, with ZMQ_XPUB_NODROP so that nothing is lost.
// It contains nothing of bus/.

namespace abuzz::bench {
namespace {

std::string endpoint_of(const RoleOptions& options) {
  return "ipc://" + options.directory + "/direct";
}

int type_of(const RoleOptions& options) {
  if (options.role == "pinger" || options.role == "ponger") return ZMQ_PAIR;
  const bool is_source = options.role == "publisher";
  if (options.sinks > 1) return is_source ? ZMQ_XPUB : ZMQ_SUB;
  return is_source ? ZMQ_PUSH : ZMQ_PULL;
}

class DirectDriver final : public Driver {
 public:
  explicit DirectDriver(const RoleOptions& options)
      : options_(options), type_(type_of(options)), socket_(type_, options.bytes) {}

  bool open(const Sink& sink) override {
    sink_ = sink;
    if (type_ == ZMQ_XPUB) {
      socket_.set(ZMQ_XPUB_NODROP, 1);
      socket_.set(ZMQ_XPUB_VERBOSE, 1);  // each subscription is told, not only the first
    }
    if (type_ == ZMQ_SUB) zmq_setsockopt(socket_.get(), ZMQ_SUBSCRIBE, "", 0);
    const std::string endpoint = endpoint_of(options_);
    const bool binds = type_ == ZMQ_PULL || type_ == ZMQ_XPUB || options_.role == "ponger";
    const int failed = binds ? zmq_bind(socket_.get(), endpoint.c_str())
                             : zmq_connect(socket_.get(), endpoint.c_str());
    return failed == 0 || fail(zmq_failure(binds ? "zmq_bind" : "zmq_connect"));
  }
  bool send(std::span<const std::byte> payload) override {
    if (type_ == ZMQ_XPUB && !await_sinks()) return false;
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

 private:
  // Subscriptions reach an XPUB some time after their sockets connected.
  bool await_sinks() {
    while (sinks_seen_ < options_.sinks) {
      ZmqMessage subscription;
      socket_.set(ZMQ_RCVTIMEO, 10'000);
      if (zmq_msg_recv(subscription.get(), socket_.get(), 0) < 0)
        return fail(zmq_failure("a subscriber did not come"));
      ++sinks_seen_;
    }
    return true;
  }

  const RoleOptions options_;
  const int type_;
  ZmqSocket socket_;
  Sink sink_;
  std::int64_t patience_ns_ = -1;
  std::uint64_t taken_ = 0;
  unsigned sinks_seen_ = 0;
};

}  // namespace

const System zmq_direct_system = {
    .name = "zmq-direct",
    .route = "PUSH - PULL (several sinks: XPUB - SUB without drops; round trips: PAIR) over ipc",
    .waiting = "blocking in the kernel, no spinning",
    .hub = nullptr,
    .make_driver = [](const RoleOptions& options) -> std::unique_ptr<Driver> {
      return std::make_unique<DirectDriver>(options);
    },
};

}  // namespace abuzz::bench
