#include <nats/nats.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "bench/driver.hpp"
#include "bench/peers/peers.hpp"
#include "bench/peers/server.hpp"
#include "bench/systems.hpp"
#include "bench/time.hpp"

// NATS core: nats-server and its C client over tcp on loopback, as its documentation advises for
// throughput: an asynchronous subscription, publishing through the client's buffer. The limits
// behind which it drops are raised until nothing is dropped for want of them.

namespace abuzz::bench {
namespace {

constexpr double prompt_rate_max = 50'000;  // messages a second

bool run_hub(const RoleOptions& options, RoleChannel& channel) {
  const int port = free_port();
  const std::string config = write_config(options, "nats.conf",
                                          "listen: 127.0.0.1:" + std::to_string(port) +
                                              "\n"
                                              "max_pending: 1073741824\n"
                                              "write_deadline: \"30s\"\n"
                                              "max_payload: 2097152\n"
                                              "logfile: \"" +
                                              options.directory + "/nats.log\"\n");
  return run_server({.program = "nats-server",
                     .arguments = {"-c", config},
                     .endpoint = "nats://127.0.0.1:" + std::to_string(port),
                     .socket_path = {},
                     .port = port},
                    channel);
}

struct EndConnection {
  void operator()(natsConnection* connection) const noexcept { natsConnection_Destroy(connection); }
};
struct EndSubscription {
  void operator()(natsSubscription* subscription) const noexcept {
    natsSubscription_Destroy(subscription);
  }
};
struct EndOptions {
  void operator()(natsOptions* options) const noexcept { natsOptions_Destroy(options); }
};

class NatsDriver final : public Driver {
 public:
  explicit NatsDriver(const RoleOptions& options)
      : options_(options), ends_(ends_of(options)), is_asking_(options.role == "requester") {}
  ~NatsDriver() override {
    subscription_.reset();
    connection_.reset();
    nats_Close();
  }

  bool open(const Sink& sink) override {
    sink_ = sink;
    natsOptions* made = nullptr;
    natsStatus status = natsOptions_Create(&made);
    const std::unique_ptr<natsOptions, EndOptions> options(made);
    if (status == NATS_OK) status = natsOptions_SetURL(made, options_.endpoint.c_str());
    // Where the next message waits for this one, or comes long after it, it leaves at once; a
    // stream goes through the client's buffer, which is written within a millisecond.
    const bool is_slow = options_.rate > 0 && options_.rate < prompt_rate_max;
    const bool is_prompt = !ends_.in.empty() || is_slow;
    if (status == NATS_OK && is_prompt) status = natsOptions_SetSendAsap(made, true);
    natsConnection* connection = nullptr;
    if (status == NATS_OK) status = natsConnection_Connect(&connection, made);
    connection_.reset(connection);
    if (status == NATS_OK && !ends_.in.empty() && !is_asking_) status = subscribe();
    return status == NATS_OK || fail(natsStatus_GetText(status));
  }
  bool send(std::span<const std::byte> payload) override {
    if (is_asking_) {
      question_ = payload;  // valid until the next one is made, which is after its answer
      return true;
    }
    const char* topic = reply_to_ != nullptr ? reply_to_ : ends_.out.c_str();
    const natsStatus status = natsConnection_Publish(connection_.get(), topic, payload.data(),
                                                     static_cast<int>(payload.size()));
    return status == NATS_OK || fail(natsStatus_GetText(status));
  }
  bool finish_sending() override {
    const natsStatus status = natsConnection_FlushTimeout(connection_.get(), 30'000);
    return status == NATS_OK || fail(natsStatus_GetText(status));
  }
  bool receive(std::int64_t patience_ns) override {
    if (is_asking_ && !question_.empty()) return ask();
    nats_Sleep(patience_ns / millisecond_ns);
    return true;
  }
  void close_input() override {
    if (!subscription_) return;
    natsSubscription_Unsubscribe(subscription_.get());
    subscription_.reset();
    nats_Sleep(20);  // a message may be with the sink still
  }
  std::uint64_t taken() const noexcept override { return taken_.load(std::memory_order_acquire); }

 private:
  static std::span<const std::byte> bytes_of(const natsMsg* message) {
    return std::as_bytes(std::span(natsMsg_GetData(message),
                                   static_cast<std::size_t>(natsMsg_GetDataLength(message))));
  }
  // One request and its reply, by the call that the client has for it.
  bool ask() {
    const auto question = std::exchange(question_, {});
    natsMsg* answer = nullptr;
    const natsStatus status =
        natsConnection_Request(&answer, connection_.get(), ends_.out.c_str(), question.data(),
                               static_cast<int>(question.size()), 10'000);
    if (status != NATS_OK) return fail(natsStatus_GetText(status));
    sink_(bytes_of(answer));
    natsMsg_Destroy(answer);
    taken_.fetch_add(1, std::memory_order_release);
    return true;
  }
  static void take(natsConnection*, natsSubscription*, natsMsg* message, void* self) {
    auto& driver = *static_cast<NatsDriver*>(self);
    driver.reply_to_ = natsMsg_GetReply(message);
    driver.sink_(bytes_of(message));
    natsMsg_Destroy(message);
    // Release: what the sink wrote is seen by who reads taken().
    driver.taken_.fetch_add(1, std::memory_order_release);
  }
  natsStatus subscribe() {
    natsSubscription* subscription = nullptr;
    natsStatus status =
        natsConnection_Subscribe(&subscription, connection_.get(), ends_.in.c_str(), take, this);
    subscription_.reset(subscription);
    if (status == NATS_OK) status = natsSubscription_SetPendingLimits(subscription, -1, -1);
    // The server has the subscription when its answer is here.
    if (status == NATS_OK) status = natsConnection_FlushTimeout(connection_.get(), 5'000);
    return status;
  }

  const RoleOptions options_;
  const Ends ends_;
  const bool is_asking_;
  std::span<const std::byte> question_;
  const char* reply_to_ = nullptr;  // while a request is with the sink
  Sink sink_;
  std::unique_ptr<natsConnection, EndConnection> connection_;
  std::unique_ptr<natsSubscription, EndSubscription> subscription_;
  std::atomic<std::uint64_t> taken_{0};
};

}  // namespace

const System nats_system = {
    .name = "nats",
    .route =
        "nats-server over tcp on loopback, libnats, pending limits raised to 1 GiB; SendAsap for"
        " round trips and below 50,000 a second",
    .waiting = "blocking in the kernel; the client writes from a thread of its own",
    .hub = run_hub,
    .make_driver = [](const RoleOptions& options) -> std::unique_ptr<Driver> {
      return std::make_unique<NatsDriver>(options);
    },
    .has_request = true,
    .versions =
        [] {
          return program_version("nats-server", "--version") + ", libnats " + nats_GetVersion();
        },
};

}  // namespace abuzz::bench
