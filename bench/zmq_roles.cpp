#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "bench/payload.hpp"
#include "bench/pinger.hpp"
#include "bench/receiver.hpp"
#include "bench/systems.hpp"
#include "bench/time.hpp"

// The raw control: what somebody gets who relays over ZeroMQ without Abuzz. One message a frame
// through DEALER - ROUTER - DEALER over ipc, three processes, filled and checked like Abuzz's.
//
// It loses nothing and holds a bounded number of messages: the ROUTER is mandatory and sends
// blocking, so a full pipe to the subscriber holds the relay, a full pipe to the relay holds the
// publisher, each at the high-water mark. It contains nothing of bus/.

namespace abuzz::bench {
namespace {

// Of each pipe: 4 MiB, from 16 to 10,000 messages. Measured: at 64 B the default of ZeroMQ (1000)
// is 7 % slower and 30,000 no faster; at 64 KiB 1000 is a tenth slower than 64.
int high_water_messages(std::size_t bytes) noexcept {
  return static_cast<int>(std::clamp<std::size_t>((4u << 20) / bytes, 16, 10'000));
}

constexpr int idle_ms = 100;  // how often a waiting role looks at its stdin
constexpr char publisher_id = 'p';
constexpr char subscriber_id = 's';

struct EndContext {
  void operator()(void* context) const noexcept { zmq_ctx_term(context); }
};
struct CloseSocket {
  void operator()(void* socket) const noexcept { zmq_close(socket); }
};

std::string failure(const char* call) {
  return std::string(call) + ": " + zmq_strerror(zmq_errno());
}

class Socket {
 public:
  Socket(int type, const RoleOptions& options) : context_(zmq_ctx_new()) {
    zmq_ctx_set(context_.get(), ZMQ_IO_THREADS, 1);
    socket_.reset(zmq_socket(context_.get(), type));
    set(ZMQ_SNDHWM, high_water_messages(options.bytes));
    set(ZMQ_RCVHWM, high_water_messages(options.bytes));
    set(ZMQ_LINGER, -1);  // closing waits until everything left
    set(ZMQ_RCVTIMEO, idle_ms);
  }
  void* get() const noexcept { return socket_.get(); }
  void set(int option, int value) noexcept {
    zmq_setsockopt(socket_.get(), option, &value, sizeof value);
  }

 private:
  std::unique_ptr<void, EndContext> context_;
  std::unique_ptr<void, CloseSocket> socket_;
};

// One message; its bytes are ZeroMQ's.
class Message {
 public:
  Message() noexcept { zmq_msg_init(&message_); }
  ~Message() { zmq_msg_close(&message_); }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  zmq_msg_t* get() noexcept { return &message_; }
  std::span<const std::byte> bytes() noexcept {
    return {static_cast<const std::byte*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
  }

 private:
  zmq_msg_t message_;
};

std::string endpoint(const RoleOptions& options) {
  return "ipc://" + options.directory + "/relay";
}

// A client of the relay.
class Client {
 public:
  Client(char id, const RoleOptions& options) : socket_(ZMQ_DEALER, options) {
    zmq_setsockopt(socket_.get(), ZMQ_ROUTING_ID, &id, 1);
  }
  // Returns when the relay knows this client: an empty message goes there and comes back.
  bool join(const RoleOptions& options, RoleChannel& channel) {
    if (zmq_connect(socket_.get(), endpoint(options).c_str()) != 0 ||
        zmq_send(socket_.get(), "", 0, 0) != 0) {
      channel.failed(failure("zmq_connect"));
      return false;
    }
    Message welcome;
    while (!receive(welcome)) {
      if (channel.line(0) || channel.is_ended()) return false;
    }
    return true;
  }
  // Blocks while there is no room.
  bool send(std::span<const std::byte> payload) noexcept {
    zmq_msg_t message;
    if (zmq_msg_init_size(&message, payload.size()) != 0) return false;
    std::memcpy(zmq_msg_data(&message), payload.data(), payload.size());
    return zmq_msg_send(&message, socket_.get(), 0) >= 0;
  }
  // False when nothing came for idle_ms.
  bool receive(Message& message) noexcept {
    return zmq_msg_recv(message.get(), socket_.get(), 0) >= 0;
  }
  bool send_back(Message& message) noexcept {
    return zmq_msg_send(message.get(), socket_.get(), 0) >= 0;
  }

 private:
  Socket socket_;
};

enum class Relayed : std::uint8_t { one, none, refused };

// Moves one message from its sender to the other client.
Relayed relay_one(void* router, int flags) noexcept {
  Message sender;
  Message payload;
  if (zmq_msg_recv(sender.get(), router, flags) < 0) {
    return zmq_errno() == EAGAIN || zmq_errno() == EINTR ? Relayed::none : Relayed::refused;
  }
  if (zmq_msg_recv(payload.get(), router, 0) < 0) return Relayed::refused;
  const char from = *static_cast<const char*>(zmq_msg_data(sender.get()));
  const char other = from == publisher_id ? subscriber_id : publisher_id;
  const char target = zmq_msg_size(payload.get()) == 0 ? from : other;
  if (zmq_send(router, &target, 1, ZMQ_SNDMORE) < 0) return Relayed::refused;
  return zmq_msg_send(payload.get(), router, 0) < 0 ? Relayed::refused : Relayed::one;
}

bool run_hub(const RoleOptions& options, RoleChannel& channel) {
  Socket router(ZMQ_ROUTER, options);
  router.set(ZMQ_ROUTER_MANDATORY, 1);
  if (zmq_bind(router.get(), endpoint(options).c_str()) != 0) {
    channel.failed(failure("zmq_bind"));
    return false;
  }
  channel.ready(zmq_library());
  Relayed relayed = Relayed::none;
  do {
    do {
      relayed = relay_one(router.get(), ZMQ_DONTWAIT);
    } while (relayed == Relayed::one);
    if (relayed == Relayed::none) relayed = relay_one(router.get(), 0);
    if (relayed == Relayed::refused) {
      channel.failed(failure("relay"));
      return false;
    }
  } while (relayed == Relayed::one || !(channel.line(0) || channel.is_ended()));
  router.set(ZMQ_LINGER, 0);
  channel.done({});
  return true;
}

bool run_publisher(const RoleOptions& options, RoleChannel& channel) {
  Client client(publisher_id, options);
  if (!client.join(options, channel)) return false;
  PayloadWriter writer(options.bytes);
  channel.ready();
  if (!channel.await("go")) return false;
  const std::int64_t end_ns = now_ns() + options.duration_ns;
  RoleReport report;
  for (bool is_last = false; !is_last; ++report.sent) {
    if (report.sent % 64 == 63) is_last = now_ns() >= end_ns;
    if (!client.send(writer.fill(report.sent + 1, is_last))) {
      channel.failed(failure("zmq_msg_send"));
      return false;
    }
  }
  // It stays connected: libzmq loses what the relay has not read yet when a connection closes while
  // the relay's pipe is full (restart_input after io_error in stream_engine.cpp).
  channel.sent(report.sent);
  if (!channel.await("stop")) return false;
  channel.done(report);
  return true;
}

bool run_subscriber(const RoleOptions& options, RoleChannel& channel) {
  Client client(subscriber_id, options);
  if (!client.join(options, channel)) return false;
  channel.ready();
  Receiver receiver(options.bytes);
  Message message;
  std::optional<std::uint64_t> total;
  std::int64_t quiet_ms = 0;
  while (!total || (receiver.received() < *total && quiet_ms < 1000)) {
    if (client.receive(message)) {
      receiver.take(message.bytes());
      quiet_ms = 0;
      continue;
    }
    quiet_ms += idle_ms;
    if (!total) total = channel.total(0);
    if (channel.is_ended()) return false;
  }
  channel.done(receiver.finish(*total));
  return true;
}

bool run_pinger(const RoleOptions& options, RoleChannel& channel) {
  Client client(publisher_id, options);
  if (!client.join(options, channel)) return false;
  Pinger pinger(options.bytes, options.duration_ns);
  channel.ready();
  if (!channel.await("go")) return false;
  Message answer;
  do {
    if (!client.send(pinger.ping())) {
      channel.failed(failure("zmq_msg_send"));
      return false;
    }
    while (!client.receive(answer)) {
      if (channel.line(0) || channel.is_ended()) return false;
    }
  } while (pinger.pong(answer.bytes()));
  channel.done(pinger.finish());
  return true;
}

bool run_ponger(const RoleOptions& options, RoleChannel& channel) {
  Client client(subscriber_id, options);
  if (!client.join(options, channel)) return false;
  channel.ready();
  Message message;
  while (true) {
    if (client.receive(message)) {
      if (client.send_back(message)) continue;
      channel.failed(failure("zmq_msg_send"));
      return false;
    }
    if (channel.line(0) || channel.is_ended()) break;
  }
  channel.done({});
  return true;
}

}  // namespace

const char* zmq_library() noexcept {
  static const std::string text = [] {
    int major = 0, minor = 0, patch = 0;
    zmq_version(&major, &minor, &patch);
    return "libzmq " + std::to_string(major) + "." + std::to_string(minor) + "." +
           std::to_string(patch);
  }();
  return text.c_str();
}

const System zmq_system = {
    "zmq",
    "DEALER - ROUTER - DEALER over ipc, one message a frame, relayed by a process of its own",
    "blocking in the kernel, no spinning; the relay drains, then blocks",
    run_hub,
    run_publisher,
    run_subscriber,
    run_pinger,
    run_ponger,
};

}  // namespace abuzz::bench
