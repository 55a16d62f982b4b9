#include <mosquitto.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "bench/driver.hpp"
#include "bench/peers/peers.hpp"
#include "bench/peers/server.hpp"
#include "bench/systems.hpp"
#include "bench/time.hpp"

// MQTT: mosquitto and libmosquitto over tcp on loopback, QoS 1, because QoS 0 loses messages as
// soon as a subscriber is slower than its publisher. Without a limit on what is under way or
// waits, and without persistence.

namespace abuzz::bench {
namespace {

constexpr int qos = 1;
constexpr int keepalive_s = 60;
constexpr int in_flight_max = 200;  // published and not acknowledged

bool run_hub(const RoleOptions& options, RoleChannel& channel) {
  const int port = free_port();
  const std::string config = write_config(options, "mosquitto.conf",
                                          "listener " + std::to_string(port) +
                                              " 127.0.0.1\n"
                                              "allow_anonymous true\n"
                                              "persistence false\n"
                                              "max_inflight_messages 0\n"
                                              "max_queued_messages 0\n"
                                              "set_tcp_nodelay true\n"
                                              "log_type error\n" +
                                              // It would become another user, and then the kernel
                                              // would not end it with its parent.
                                              (geteuid() == 0 ? "user root\n" : ""));
  return run_server({.program = "mosquitto",
                     .arguments = {"-c", config},
                     .endpoint = std::to_string(port),
                     .socket_path = {},
                     .port = port},
                    channel);
}

struct EndClient {
  void operator()(mosquitto* client) const noexcept {
    mosquitto_disconnect(client);
    mosquitto_destroy(client);
  }
};

// Everything happens on the caller's thread, inside mosquitto_loop.
class MosquittoDriver final : public Driver {
 public:
  explicit MosquittoDriver(const RoleOptions& options)
      : options_(options), ends_(ends_of(options)) {
    mosquitto_lib_init();
  }
  ~MosquittoDriver() override {
    client_.reset();
    mosquitto_lib_cleanup();
  }

  bool open(const Sink& sink) override {
    sink_ = sink;
    client_.reset(mosquitto_new(nullptr, true, this));
    if (client_ == nullptr) return fail("mosquitto_new");
    mosquitto_int_option(client_.get(), MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_max_inflight_messages_set(client_.get(), 0);
    mosquitto_message_callback_set(client_.get(), on_message);
    mosquitto_publish_callback_set(client_.get(), on_published);
    mosquitto_connect_callback_set(client_.get(), on_connected);
    mosquitto_subscribe_callback_set(client_.get(), on_subscribed);
    const int port = std::stoi(options_.endpoint);
    if (!check(mosquitto_connect(client_.get(), "127.0.0.1", port, keepalive_s))) return false;
    if (!loop_until([this] { return is_connected_; })) return false;
    if (ends_.in.empty()) return true;
    if (!check(mosquitto_subscribe(client_.get(), nullptr, ends_.in.c_str(), qos))) return false;
    return loop_until([this] { return is_subscribed_; });
  }
  bool send(std::span<const std::byte> payload) override {
    if (!check(mosquitto_publish(client_.get(), nullptr, ends_.out.c_str(),
                                 static_cast<int>(payload.size()), payload.data(), qos, false)))
      return false;
    ++unacknowledged_;
    // Inside the sink the loop must not be entered again.
    if (is_inside_) return true;
    return loop_until([this] { return unacknowledged_ < in_flight_max; });
  }
  bool flush() override { return check(mosquitto_loop(client_.get(), 0, 100)); }
  bool finish_sending() override {
    return loop_until([this] { return unacknowledged_ == 0; });
  }
  bool receive(std::int64_t patience_ns) override {
    const std::uint64_t before = taken_;
    const std::int64_t end_ns = now_ns() + patience_ns;
    while (taken_ == before && now_ns() < end_ns)
      if (!check(
              mosquitto_loop(client_.get(), static_cast<int>(patience_ns / millisecond_ns), 100)))
        return false;
    return true;
  }
  std::uint64_t taken() const noexcept override { return taken_; }

 private:
  static void on_connected(mosquitto*, void* self, int code) {
    static_cast<MosquittoDriver*>(self)->is_connected_ = code == 0;
  }
  static void on_subscribed(mosquitto*, void* self, int, int, const int*) {
    static_cast<MosquittoDriver*>(self)->is_subscribed_ = true;
  }
  static void on_published(mosquitto*, void* self, int) {
    --static_cast<MosquittoDriver*>(self)->unacknowledged_;
  }
  static void on_message(mosquitto*, void* self, const mosquitto_message* message) {
    auto& driver = *static_cast<MosquittoDriver*>(self);
    driver.is_inside_ = true;
    driver.sink_(std::as_bytes(std::span(static_cast<const char*>(message->payload),
                                         static_cast<std::size_t>(message->payloadlen))));
    driver.is_inside_ = false;
    ++driver.taken_;
  }
  template <class Condition>
  bool loop_until(Condition&& condition) {
    const std::int64_t deadline_ns = now_ns() + 30 * second_ns;
    while (!condition()) {
      if (!check(mosquitto_loop(client_.get(), 100, 100))) return false;
      if (now_ns() > deadline_ns) return fail("the broker does not answer");
    }
    return true;
  }
  bool check(int code) { return code == MOSQ_ERR_SUCCESS || fail(mosquitto_strerror(code)); }

  const RoleOptions options_;
  const Ends ends_;
  Sink sink_;
  std::unique_ptr<mosquitto, EndClient> client_;
  bool is_connected_ = false, is_subscribed_ = false, is_inside_ = false;
  std::int64_t unacknowledged_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace

const System mosquitto_system = {
    .name = "mosquitto",
    .route = "mosquitto over tcp on loopback, libmosquitto, QoS 1, 200 under way, no persistence",
    .waiting = "blocking in the kernel, no spinning",
    .hub = run_hub,
    .make_driver = [](const RoleOptions& options) -> std::unique_ptr<Driver> {
      return std::make_unique<MosquittoDriver>(options);
    },
    .versions =
        [] {
          int major = 0, minor = 0, patch = 0;
          mosquitto_lib_version(&major, &minor, &patch);
          return program_version("mosquitto", "-h") + ", libmosquitto " + std::to_string(major) +
                 "." + std::to_string(minor) + "." + std::to_string(patch);
        },
};

}  // namespace abuzz::bench
