#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>
#include <unordered_map>
#include <utility>

#include "bus/link/unix_door.hpp"
#include "bus/link/unix_socket.hpp"

namespace abuzz::link {

namespace {

constexpr CallerId listener_id = 0;  // in epoll's data; callers count from 1
constexpr int accepts_per_turn_max = 64;
constexpr std::int64_t accept_pause_ms = 100;

std::int64_t now_ms() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1000 + time.tv_nsec / 1'000'000;
}

// Threads: one. Invariants: every visit is in the epoll set; a visit that has not spoken is also in
// `greeting_`, oldest first. Cost: one epoll_wait for up to 64 events, then one system call each.
class UnixDoorListener final : public DoorListener {
 public:
  UnixDoorListener(std::string path, const UnixDoorOptions& options, detail::Descriptor socket,
                   detail::Descriptor poll)
      : path_(std::move(path)),
        options_(options),
        socket_(std::move(socket)),
        poll_(std::move(poll)) {
    open_reserve();
  }
  ~UnixDoorListener() override { shut(); }

  Event try_next(Caller& caller, std::vector<std::byte>& datagram) override;
  bool try_reply(CallerId caller, std::span<const std::byte> datagram) noexcept override;
  void hang_up(CallerId caller) noexcept override { visits_.erase(caller); }
  void shut() noexcept override;
  int wait_descriptor() const noexcept override { return poll_.value(); }
  std::uint64_t turned_away() const noexcept override { return turned_away_; }

 private:
  struct Visit {
    detail::Descriptor socket;
    Caller caller;
    bool has_spoken = false;
  };
  struct Greeting {
    CallerId caller;
    std::int64_t deadline_ms;
  };

  bool fill_ready() noexcept;
  Event serve(CallerId id, Caller& caller, std::vector<std::byte>& datagram);
  void accept_callers();
  bool accept_caller();
  bool has_room(int descriptor) const noexcept;
  void admit(detail::Descriptor socket);
  bool turn_away_with_reserve() noexcept;
  void open_reserve() noexcept;
  void pause_accepting() noexcept;
  void resume_accepting() noexcept;
  void hang_up_silent();

  // Constant after construction.
  const std::string path_;
  const UnixDoorOptions options_;
  // The node's thread.
  detail::Descriptor socket_;
  detail::Descriptor poll_;
  // Given up for a moment to accept and close a caller when no descriptor is left; otherwise the
  // caller would stay in the queue and the listener stay readable for ever.
  detail::Descriptor reserve_;
  std::int64_t paused_until_ms_ = 0;  // 0: accepting
  std::unordered_map<CallerId, Visit> visits_;
  std::deque<Greeting> greeting_;
  std::array<epoll_event, 64> ready_{};
  std::size_t ready_count_ = 0;
  std::size_t ready_index_ = 0;
  CallerId last_id_ = listener_id;
  std::uint64_t turned_away_ = 0;
};

DoorListener::Event UnixDoorListener::try_next(Caller& caller, std::vector<std::byte>& datagram) {
  hang_up_silent();
  if (paused_until_ms_ != 0 && now_ms() >= paused_until_ms_) resume_accepting();
  int asked = 0;
  for (;;) {
    if (ready_index_ == ready_count_) {
      // Twice a call, so that a caller who just came in is heard: a flood of callers or of noise
      // must not hold the node's thread here. What was not read is announced again, since epoll is
      // level-triggered.
      if (asked++ == 2 || !fill_ready()) return Event::none;
    }
    const CallerId id = ready_[ready_index_++].data.u64;
    if (id == listener_id) {
      accept_callers();
      continue;
    }
    const Event event = serve(id, caller, datagram);
    if (event != Event::none) return event;
  }
}

bool UnixDoorListener::fill_ready() noexcept {
  ready_index_ = 0;
  ready_count_ = 0;
  const int count = ::epoll_wait(poll_.value(), ready_.data(), static_cast<int>(ready_.size()), 0);
  if (count <= 0) return false;
  ready_count_ = static_cast<std::size_t>(count);
  return true;
}

DoorListener::Event UnixDoorListener::serve(CallerId id, Caller& caller,
                                            std::vector<std::byte>& datagram) {
  const auto found = visits_.find(id);
  if (found == visits_.end()) return Event::none;  // hung up on since epoll announced it
  Visit& visit = found->second;
  switch (detail::receive_datagram(visit.socket.value(), datagram)) {
    case DoorCall::Status::empty:
      return Event::none;
    case DoorCall::Status::done:
      visit.has_spoken = true;
      caller = visit.caller;
      return Event::datagram;
    case DoorCall::Status::closed:
      break;
  }
  const bool was_known = visit.has_spoken;
  caller = visit.caller;
  visits_.erase(found);
  return was_known ? Event::hang_up : Event::none;
}

bool UnixDoorListener::try_reply(CallerId caller, std::span<const std::byte> datagram) noexcept {
  const auto found = visits_.find(caller);
  if (found == visits_.end() || datagram.empty() || datagram.size() > door_datagram_bytes_max) {
    return false;
  }
  const int descriptor = found->second.socket.value();
  return detail::send_datagram(descriptor, datagram) == DoorCall::Status::done;
}

void UnixDoorListener::shut() noexcept {
  if (!socket_.is_open()) return;
  ::unlink(path_.c_str());
  socket_.reset();
  paused_until_ms_ = 0;
}

void UnixDoorListener::accept_callers() {
  for (int count = 0; count < accepts_per_turn_max; ++count) {
    if (!socket_.is_open() || paused_until_ms_ != 0 || !accept_caller()) return;
  }
}

// False when nobody waits.
bool UnixDoorListener::accept_caller() {
  detail::Descriptor socket(
      ::accept4(socket_.value(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (socket.is_open()) {
    if (has_room(socket.value())) {
      admit(std::move(socket));
    } else {
      ++turned_away_;
    }
    return true;
  }
  if (errno == EINTR || errno == ECONNABORTED) return true;
  if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
    return turn_away_with_reserve();
  }
  return false;
}

// The kernel gives the lowest free number, so a number close to the limit means that all below are
// taken.
bool UnixDoorListener::has_room(int descriptor) const noexcept {
  rlimit limit{};
  if (visits_.size() >= options_.callers_max) return false;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return true;
  return static_cast<rlim_t>(descriptor) + options_.descriptors_spare < limit.rlim_cur;
}

void UnixDoorListener::admit(detail::Descriptor socket) {
  ucred credentials{};
  socklen_t bytes = sizeof(credentials);
  const CallerId id = last_id_ + 1;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = id;
  if (::getsockopt(socket.value(), SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0 ||
      ::epoll_ctl(poll_.value(), EPOLL_CTL_ADD, socket.value(), &event) != 0) {
    ++turned_away_;
    return;
  }
  last_id_ = id;
  const Caller caller{id, credentials.uid, static_cast<std::uint32_t>(credentials.pid)};
  visits_.emplace(id, Visit{std::move(socket), caller, false});
  greeting_.push_back(Greeting{id, now_ms() + options_.greeting_timeout_ms});
}

// False when nobody waits: without a descriptor to give, accept does not even look.
bool UnixDoorListener::turn_away_with_reserve() noexcept {
  reserve_.reset();
  const int accepted = ::accept4(socket_.value(), nullptr, nullptr, SOCK_CLOEXEC);
  if (accepted >= 0) {
    ::close(accepted);
    ++turned_away_;
  }
  open_reserve();
  // Another thread took the descriptor meanwhile: without a reserve accepting would only spin.
  if (!reserve_.is_open()) pause_accepting();
  return accepted >= 0;
}

void UnixDoorListener::open_reserve() noexcept {
  reserve_ = detail::Descriptor(::open("/", O_PATH | O_CLOEXEC));
}

void UnixDoorListener::pause_accepting() noexcept {
  epoll_event event{};
  event.data.u64 = listener_id;
  ::epoll_ctl(poll_.value(), EPOLL_CTL_MOD, socket_.value(), &event);
  paused_until_ms_ = now_ms() + accept_pause_ms;
}

void UnixDoorListener::resume_accepting() noexcept {
  if (!reserve_.is_open()) open_reserve();
  if (!reserve_.is_open()) {
    paused_until_ms_ = now_ms() + accept_pause_ms;
    return;
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = listener_id;
  ::epoll_ctl(poll_.value(), EPOLL_CTL_MOD, socket_.value(), &event);
  paused_until_ms_ = 0;
}

// Hangs up on those whose time to say something is over. One clock read, and none when all spoke.
void UnixDoorListener::hang_up_silent() {
  std::int64_t now = -1;
  while (!greeting_.empty()) {
    const Greeting oldest = greeting_.front();
    const auto found = visits_.find(oldest.caller);
    if (found != visits_.end() && !found->second.has_spoken) {
      if (now < 0) now = now_ms();
      if (now < oldest.deadline_ms) return;
      visits_.erase(found);
    }
    greeting_.pop_front();
  }
}

}  // namespace

Result<std::unique_ptr<DoorListener>> listen_unix_door(const std::string& path,
                                                       const UnixDoorOptions& options) {
  Result<sockaddr_un> address = detail::unix_address(path);
  if (!address.ok()) return address.failure();
  detail::Descriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.is_open()) return detail::system_failure("socket", path);
  // The name gets the mode that the socket has before bind: owner only, from its first moment, and
  // without touching the umask of the whole process.
  if (::fchmod(socket.value(), 0600) != 0) return detail::system_failure("fchmod", path);
  ::unlink(path.c_str());
  if (::bind(socket.value(), reinterpret_cast<const sockaddr*>(&address.value()),
             sizeof(sockaddr_un)) != 0) {
    return detail::system_failure("bind", path);
  }
  if (::listen(socket.value(), SOMAXCONN) != 0) return detail::system_failure("listen", path);
  detail::Descriptor poll(::epoll_create1(EPOLL_CLOEXEC));
  if (!poll.is_open()) return detail::system_failure("epoll_create1", path);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = listener_id;
  if (::epoll_ctl(poll.value(), EPOLL_CTL_ADD, socket.value(), &event) != 0) {
    return detail::system_failure("epoll_ctl", path);
  }
  return std::unique_ptr<DoorListener>(
      std::make_unique<UnixDoorListener>(path, options, std::move(socket), std::move(poll)));
}

}  // namespace abuzz::link
