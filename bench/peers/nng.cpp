#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>

#include <string>

#include "bench/driver.hpp"
#include "bench/peers/peers.hpp"
#include "bench/systems.hpp"
#include "bench/time.hpp"

// nng without a broker: PUSH - PULL over ipc, PAIR for round trips, REQ - REP for requests. Its
// PUB - SUB drops for a subscriber that is behind, and says so nowhere: it has no fan-out that
// could be verified.

namespace abuzz::bench {
namespace {

constexpr int buffered_messages = 1024;

class NngDriver final : public Driver {
 public:
  explicit NngDriver(const RoleOptions& options) : options_(options) {}
  ~NngDriver() override { nng_close(socket_); }

  bool open(const Sink& sink) override {
    sink_ = sink;
    if (!check(open_socket())) return false;
    // Not every protocol has both buffers.
    (void)nng_socket_set_int(socket_, NNG_OPT_SENDBUF, buffered_messages);
    (void)nng_socket_set_int(socket_, NNG_OPT_RECVBUF, buffered_messages);
    (void)nng_socket_set_size(socket_, NNG_OPT_RECVMAXSZ, 0);
    const std::string endpoint = "ipc://" + options_.directory + "/nng";
    if (options_.role == "subscriber" || options_.role == "ponger" || options_.role == "responder")
      return check(nng_listen(socket_, endpoint.c_str(), nullptr, 0));
    return check(nng_dial(socket_, endpoint.c_str(), nullptr, 0));
  }
  bool send(std::span<const std::byte> payload) override {
    return check(nng_send(socket_, const_cast<std::byte*>(payload.data()), payload.size(), 0));
  }
  // Closing would drop what is still buffered: nng cannot be asked when it is gone.
  bool finish_sending() override { return true; }
  bool receive(std::int64_t patience_ns) override {
    if (std::exchange(patience_ns_, patience_ns) != patience_ns)
      nng_socket_set_ms(socket_, NNG_OPT_RECVTIMEO,
                        static_cast<nng_duration>(patience_ns / millisecond_ns));
    nng_msg* message = nullptr;
    const int code = nng_recvmsg(socket_, &message, 0);
    if (code == NNG_ETIMEDOUT || code == NNG_EAGAIN) return true;
    if (!check(code)) return false;
    sink_({static_cast<const std::byte*>(nng_msg_body(message)), nng_msg_len(message)});
    nng_msg_free(message);
    ++taken_;
    return true;
  }
  std::uint64_t taken() const noexcept override { return taken_; }

 private:
  int open_socket() {
    if (options_.role == "publisher") return nng_push0_open(&socket_);
    if (options_.role == "subscriber") return nng_pull0_open(&socket_);
    if (options_.role == "requester") return nng_req0_open(&socket_);
    if (options_.role == "responder") return nng_rep0_open(&socket_);
    return nng_pair0_open(&socket_);
  }
  bool check(int code) { return code == 0 || fail(nng_strerror(code)); }

  const RoleOptions options_;
  nng_socket socket_ = NNG_SOCKET_INITIALIZER;
  Sink sink_;
  std::int64_t patience_ns_ = -1;
  std::uint64_t taken_ = 0;
};

}  // namespace

const System nng_system = {
    .name = "nng",
    .route =
        "PUSH - PULL (round trips: PAIR, requests: REQ - REP) over ipc, buffers of 1024 messages",
    .waiting = "blocking in the kernel; threads of the library move the messages",
    .hub = nullptr,
    .make_driver = [](const RoleOptions& options) -> std::unique_ptr<Driver> {
      return std::make_unique<NngDriver>(options);
    },
    .has_fanout = false,
    .has_request = true,
    .versions = [] { return std::string("libnng ") + nng_version(); },
};

}  // namespace abuzz::bench
