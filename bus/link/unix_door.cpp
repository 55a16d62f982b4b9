#include "bus/link/unix_door.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "bus/base/check.hpp"
#include "bus/link/unix_socket.hpp"

namespace abuzz::link {

namespace detail {

Failure system_failure(const char* call, const std::string& path) {
  const int code = errno;
  Error error = Error::system;
  if (code == EMFILE || code == ENFILE) error = Error::descriptors;
  if (code == ENOMEM || code == ENOBUFS) error = Error::out_of_memory;
  if (code == EACCES || code == EPERM) error = Error::denied;
  return Failure{error, std::string(call) + " " + path + ": " + std::strerror(code)};
}

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // The kernel would take 108 bytes without the closing zero; say it, never cut.
  if (path.size() >= sizeof(address.sun_path)) return Failure{Error::path_too_long, path};
  if (path.empty() || path.find('\0') != std::string::npos) {
    return Failure{Error::config_bad_value, "door path " + path};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    reset();
    value_ = std::exchange(other.value_, -1);
  }
  return *this;
}

void Descriptor::reset() noexcept {
  if (value_ >= 0) ::close(std::exchange(value_, -1));
}

DoorCall::Status send_datagram(int descriptor, std::span<const std::byte> datagram) noexcept {
  ssize_t sent = 0;
  do {
    sent = ::send(descriptor, datagram.data(), datagram.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return DoorCall::Status::done;
  const bool is_full = errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS;
  return is_full ? DoorCall::Status::empty : DoorCall::Status::closed;
}

DoorCall::Status receive_datagram(int descriptor, std::vector<std::byte>& datagram) {
  datagram.resize(door_datagram_bytes_max);
  ssize_t received = 0;
  do {
    // MSG_TRUNC makes the kernel say how long the datagram was. Descriptors that come along are
    // closed by the kernel, since no room for them is given. After ECONNRESET (the other end left
    // with mail unread) what it had sent before is still there.
    received = ::recv(descriptor, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_TRUNC);
  } while (received < 0 && (errno == EINTR || errno == ECONNRESET));
  if (received > 0 && static_cast<std::size_t>(received) <= datagram.size()) {
    datagram.resize(static_cast<std::size_t>(received));
    return DoorCall::Status::done;
  }
  datagram.clear();
  const bool is_empty = received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  return is_empty ? DoorCall::Status::empty : DoorCall::Status::closed;
}

}  // namespace detail

namespace {

class UnixDoorCall final : public DoorCall {
 public:
  explicit UnixDoorCall(detail::Descriptor socket) : socket_(std::move(socket)) {}

  Status try_send(std::span<const std::byte> datagram) noexcept override {
    ABUZZ_CHECK(!datagram.empty());
    return detail::send_datagram(socket_.value(), datagram);
  }
  Status try_receive(std::vector<std::byte>& datagram) override {
    const Status status = detail::receive_datagram(socket_.value(), datagram);
    // Also where the node sent more than a datagram may hold: then it is no node of ours.
    if (status == Status::closed) ::shutdown(socket_.value(), SHUT_RDWR);
    return status;
  }
  int wait_descriptor() const noexcept override { return socket_.value(); }

 private:
  detail::Descriptor socket_;
};

}  // namespace

Result<std::unique_ptr<DoorCall>> call_unix_door(const std::string& path) {
  Result<sockaddr_un> address = detail::unix_address(path);
  if (!address.ok()) return address.failure();
  detail::Descriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.is_open()) return detail::system_failure("socket", path);
  int connected = 0;
  do {
    connected = ::connect(socket.value(), reinterpret_cast<const sockaddr*>(&address.value()),
                          sizeof(sockaddr_un));
  } while (connected < 0 && errno == EINTR);
  if (connected < 0) {
    const bool nobody = errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR;
    if (nobody) return Failure{Error::no_node, path};
    // The queue in front of the door is full: someone is there, who does not open.
    if (errno == EAGAIN) return Failure{Error::handshake_timeout, path};
    return detail::system_failure("connect", path);
  }
  return std::unique_ptr<DoorCall>(std::make_unique<UnixDoorCall>(std::move(socket)));
}

}  // namespace abuzz::link
