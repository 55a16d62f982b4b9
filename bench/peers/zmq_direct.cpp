#include <zmq.h>

#include <string>

#include "bench/peers/peers.hpp"
#include "bench/peers/zmq_driver.hpp"
#include "bench/systems.hpp"

// Raw ZeroMQ without anything between two processes: PUSH - PULL over ipc, PAIR for round trips,
// REQ - REP for requests.
// PUB - SUB would be the pattern for several sinks, with ZMQ_XPUB_NODROP so that nothing is lost.
// It contains nothing of bus/.

namespace abuzz::bench {
namespace {

std::string endpoint_of(const RoleOptions& options) {
  return "ipc://" + options.directory + "/direct";
}

int type_of(const RoleOptions& options) {
  if (options.role == "requester") return ZMQ_REQ;
  if (options.role == "responder") return ZMQ_REP;
  if (options.role == "pinger" || options.role == "ponger") return ZMQ_PAIR;
  const bool is_source = options.role == "publisher";
  if (options.sinks > 1) return is_source ? ZMQ_XPUB : ZMQ_SUB;
  return is_source ? ZMQ_PUSH : ZMQ_PULL;
}

class DirectDriver final : public ZmqDriver {
 public:
  explicit DirectDriver(const RoleOptions& options)
      : ZmqDriver(options, type_of(options)), type_(type_of(options)) {}

  bool open(const Sink& sink) override {
    sink_ = sink;
    if (type_ == ZMQ_XPUB) {
      socket_.set(ZMQ_XPUB_NODROP, 1);
      socket_.set(ZMQ_XPUB_VERBOSE, 1);  // each subscription is told, not only the first
    }
    if (type_ == ZMQ_SUB) zmq_setsockopt(socket_.get(), ZMQ_SUBSCRIBE, "", 0);
    const std::string endpoint = endpoint_of(options_);
    const bool binds =
        type_ == ZMQ_PULL || type_ == ZMQ_XPUB || type_ == ZMQ_REP || options_.role == "ponger";
    const int failed = binds ? zmq_bind(socket_.get(), endpoint.c_str())
                             : zmq_connect(socket_.get(), endpoint.c_str());
    if (failed != 0) return fail(zmq_failure(binds ? "zmq_bind" : "zmq_connect"));
    return type_ != ZMQ_XPUB || await_sinks();
  }

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

  const int type_;
  unsigned sinks_seen_ = 0;
};

}  // namespace

const System zmq_direct_system = {
    .name = "zmq-direct",
    .route =
        "PUSH - PULL (several sinks: XPUB - SUB without drops; round trips: PAIR; requests:"
        " REQ - REP) over ipc",
    .waiting = "blocking in the kernel, no spinning",
    .hub = nullptr,
    .make_driver = [](const RoleOptions& options) -> std::unique_ptr<Driver> {
      return std::make_unique<DirectDriver>(options);
    },
    .has_request = true,
};

}  // namespace abuzz::bench
