#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

// ZeroMQ 4.3.4 ends the process when accept4() on an ipc socket finds no descriptor left (EMFILE):
// some sixty strangers who only connect would end a node that may open 64. It asks through the
// dynamic linker, so this program, and no program that embeds a node, answers here instead: one
// descriptor is kept in reserve, given up to take the stranger off the queue and hang up on it, and
// taken again. ZeroMQ then hears ECONNABORTED, with which it goes on.
//
// Threads: any. Invariants: every other call, and every other answer, is the kernel's own.

namespace {

int open_reserve() noexcept {
  return ::open("/", O_PATH | O_CLOEXEC);
}

int ask_kernel(int socket, sockaddr* address, socklen_t* bytes, int flags) noexcept {
  return static_cast<int>(::syscall(SYS_accept4, socket, address, bytes, flags));
}

// A node's door has a reserve of its own, and counts whom it turns away.
bool is_stream(int socket) noexcept {
  int type = 0;
  socklen_t bytes = sizeof type;
  return ::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 && type == SOCK_STREAM;
}

}  // namespace

extern "C" int accept4(int socket, sockaddr* address, socklen_t* bytes, int flags) {
  // Process-wide, because the name is.
  static std::mutex mutex;
  static int reserve = open_reserve();
  const int accepted = ask_kernel(socket, address, bytes, flags);
  if (accepted >= 0 || errno != EMFILE) return accepted;
  if (!is_stream(socket)) {
    errno = EMFILE;
    return -1;
  }
  const std::lock_guard lock(mutex);
  if (reserve >= 0) ::close(reserve);
  const int stranger = ask_kernel(socket, nullptr, nullptr, SOCK_CLOEXEC);
  if (stranger >= 0) ::close(stranger);
  reserve = open_reserve();
  // Another thread was quicker: the caller is asked again, until a descriptor is free.
  errno = stranger >= 0 ? ECONNABORTED : EAGAIN;
  return -1;
}
