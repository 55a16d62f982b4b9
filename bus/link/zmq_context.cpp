#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>

#include "bus/base/position.hpp"
#include "bus/link/descriptors.hpp"
#include "bus/link/zmq_socket.hpp"

namespace abuzz::link {

namespace {

// Sockets of one process: one hub a shard, one link an agent. libzmq keeps a slot for each.
constexpr int sockets_max = 1024;
constexpr std::size_t ipc_path_bytes_max = 107;
constexpr int handshake_ms = 2000;
// Connections that wait to be accepted. Over ipc one more would be refused at once, and as nobody
// reconnects, that link would be dead: a node that restarts has all its agents at the door.
constexpr int backlog_max = 4096;
constexpr int heartbeat_interval_ms = 1000;
constexpr int heartbeat_timeout_ms = 3000;
constexpr int tcp_connect_timeout_ms = 2000;

// What libzmq opens for a context or a socket is at most 8; the rest is margin for the other
// threads of the process.
constexpr std::size_t descriptors_needed = 16;

template <class Value>
bool set(void* socket, int option, Value value) noexcept {
  return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

bool is_loopback(std::string_view address) noexcept {
  return address.starts_with("127.") || address.starts_with("localhost:") ||
         address.starts_with("[::1]:");
}

bool set_options(void* socket, int type, const detail::EndpointKind& kind,
                 std::size_t part_bytes_max, int linger_ms) noexcept {
  bool done = set(socket, ZMQ_LINGER, linger_ms) && set(socket, ZMQ_RECONNECT_IVL, -1) &&
              set(socket, ZMQ_MAXMSGSIZE, static_cast<std::int64_t>(part_bytes_max)) &&
              set(socket, ZMQ_HANDSHAKE_IVL, handshake_ms) &&
              set(socket, ZMQ_SNDHWM, type == ZMQ_ROUTER ? detail::high_water_messages : 0) &&
              set(socket, ZMQ_RCVHWM, detail::high_water_messages);
  if (type == ZMQ_ROUTER) {
    done = done && set(socket, ZMQ_ROUTER_MANDATORY, 1) && set(socket, ZMQ_BACKLOG, backlog_max);
  }
  if (kind.tcp) {
    done = done && set(socket, ZMQ_HEARTBEAT_IVL, heartbeat_interval_ms) &&
           set(socket, ZMQ_HEARTBEAT_TIMEOUT, heartbeat_timeout_ms) &&
           set(socket, ZMQ_CONNECT_TIMEOUT, tcp_connect_timeout_ms);
  }
  return done;
}

// Of a context of this process. Wraps long before a name would be too long for the kernel (15).
int next_number() noexcept {
  static base::Position<int> last{0};
  // Two threads at once may draw one number; then neither context's thread has a name of its own.
  const int number = last.read() % 999 + 1;
  last.publish(number);
  return number;
}

}  // namespace

Result<std::unique_ptr<ZmqContext>> ZmqContext::open(int io_threads) {
  if (!has_free_descriptors(descriptors_needed)) return Failure{Error::descriptors, "zmq context"};
  void* native = zmq_ctx_new();
  if (native == nullptr) return Error::out_of_memory;
  const int number = next_number();
  std::unique_ptr<ZmqContext> context(new ZmqContext(native, number));
  if (zmq_ctx_set(native, ZMQ_IO_THREADS, io_threads) != 0 ||
      zmq_ctx_set(native, ZMQ_THREAD_NAME_PREFIX, number) != 0 ||
      zmq_ctx_set(native, ZMQ_MAX_SOCKETS, sockets_max) != 0 ||
      zmq_ctx_set(native, ZMQ_BLOCKY, 0) != 0) {
    return detail::zmq_failure("zmq_ctx_set", "");
  }
  // The first socket starts the threads: here a failure is still an answer.
  void* probe = zmq_socket(native, ZMQ_DEALER);
  if (probe == nullptr) return detail::zmq_failure("zmq_socket", "");
  zmq_close(probe);
  return context;
}

ZmqContext::ZmqContext(void* native, int number)
    : native_(native), io_thread_name_(std::to_string(number) + "/ZMQbg/IO/0") {}

ZmqContext::~ZmqContext() {
  while (zmq_ctx_term(native_) != 0 && zmq_errno() == EINTR) {
  }
}

namespace detail {

Failure zmq_failure(std::string_view call, std::string_view endpoint) {
  const int code = zmq_errno();
  Error error = Error::system;
  if (code == EMFILE || code == ENFILE) error = Error::descriptors;
  if (code == ENOMEM) error = Error::out_of_memory;
  std::string detail(call);
  if (!endpoint.empty()) detail.append(" ").append(endpoint);
  detail.append(": ").append(zmq_strerror(code));
  return Failure{error, std::move(detail)};
}

Result<EndpointKind> check_endpoint(std::string_view endpoint) {
  constexpr std::string_view ipc = "ipc://";
  constexpr std::string_view tcp = "tcp://";
  const bool has_zero = endpoint.find('\0') != std::string_view::npos;
  if (!has_zero && endpoint.starts_with(tcp)) {
    return EndpointKind{.tcp = true, .same_host = is_loopback(endpoint.substr(tcp.size()))};
  }
  const std::string_view path =
      endpoint.starts_with(ipc) ? endpoint.substr(ipc.size()) : std::string_view();
  // An abstract name has no permissions at all, and `*` would choose a public directory.
  if (has_zero || path.empty() || path.front() == '@' || path.front() == '*') {
    return Failure{Error::config_bad_value, "endpoint " + std::string(endpoint)};
  }
  // libzmq would refuse too, but some paths it cuts; say it before.
  if (path.size() > ipc_path_bytes_max) return Failure{Error::path_too_long, std::string(path)};
  return EndpointKind{.tcp = false, .same_host = true};
}

Result<ZmqSocket> ZmqSocket::open(ZmqContext& context, int type, const EndpointKind& kind,
                                  std::size_t part_bytes_max, int linger_ms) {
  if (!has_free_descriptors(descriptors_needed)) return Failure{Error::descriptors, "zmq socket"};
  ZmqSocket socket(zmq_socket(context.native(), type));
  if (socket.native_ == nullptr) return zmq_failure("zmq_socket", "");
  if (!set_options(socket.native_, type, kind, part_bytes_max, linger_ms)) {
    return zmq_failure("zmq_setsockopt", "");
  }
  std::size_t bytes = sizeof(socket.descriptor_);
  if (zmq_getsockopt(socket.native_, ZMQ_FD, &socket.descriptor_, &bytes) != 0) {
    return zmq_failure("zmq_getsockopt", "");
  }
  return Result<ZmqSocket>(std::move(socket));
}

ZmqSocket::ZmqSocket(ZmqSocket&& other) noexcept
    : native_(std::exchange(other.native_, nullptr)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

ZmqSocket::~ZmqSocket() {
  if (native_ != nullptr) zmq_close(native_);
}

ZmqSocket::Events ZmqSocket::events() const noexcept {
  int events = 0;
  std::size_t bytes = sizeof(events);
  if (zmq_getsockopt(native_, ZMQ_EVENTS, &events, &bytes) != 0) return {};
  return {.input = (events & ZMQ_POLLIN) != 0, .output = (events & ZMQ_POLLOUT) != 0};
}

}  // namespace detail

}  // namespace abuzz::link
