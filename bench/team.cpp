#include "bench/team.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "bench/time.hpp"

namespace abuzz::bench {

Team::Team() : pipe_before_(std::signal(SIGPIPE, SIG_IGN)) {
  sigset_t mask;
  sigemptyset(&mask);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&mask, number);
  sigprocmask(SIG_BLOCK, &mask, &mask_before_);
  signals_ = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

Team::~Team() {
  end();
  if (signals_ >= 0) close(signals_);
  sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
  if (pipe_before_ != SIG_ERR) std::signal(SIGPIPE, pipe_before_);
}

void Team::end() noexcept {
  constexpr std::int64_t patience_ns = second_ns;
  for (Child& child : children_) child.close_input();
  const std::int64_t deadline_ns = now_ns() + patience_ns;
  for (Child& child : children_) {
    if (!child.is_running()) continue;
    pollfd ended{child.end_fd(), POLLIN, 0};
    const std::int64_t rest_ns = std::max<std::int64_t>(deadline_ns - now_ns(), 0);
    poll(&ended, 1, static_cast<int>(rest_ns / millisecond_ns));
  }
  children_.clear();
}

Result<std::size_t> Team::add(const Command& command) {
  auto child = Child::spawn(command);
  if (!child) return child.failure();
  children_.push_back(std::move(child).value());
  return children_.size() - 1;
}

std::size_t Team::running_count() const noexcept {
  return static_cast<std::size_t>(std::count_if(
      children_.begin(), children_.end(), [](const Child& child) { return child.is_running(); }));
}

bool Team::take_event(TeamEvent& event) {
  signalfd_siginfo info{};
  if (read(signals_, &info, sizeof info) == sizeof info) {
    event.kind = TeamEventKind::signalled;
    event.number = static_cast<int>(info.ssi_signo);
    return true;
  }
  for (event.child = 0; event.child < children_.size(); ++event.child) {
    Child& child = children_[event.child];
    pollfd ended{child.end_fd(), POLLIN, 0};
    // Looked at before reading, so that what it wrote before its end is taken first.
    const bool is_over = child.is_running() && poll(&ended, 1, 0) > 0;
    child.read_output();
    if (child.take_line(event.line)) {
      event.kind = TeamEventKind::line;
      return true;
    }
    if (is_over) {
      event.kind = TeamEventKind::ended;
      event.number = child.reap();
      return true;
    }
  }
  return false;
}

TeamEvent Team::wait(std::int64_t deadline_ns) {
  TeamEvent event;
  while (!take_event(event)) {
    const std::int64_t rest_ns = deadline_ns - now_ns();
    if (rest_ns <= 0) return TeamEvent{};
    std::vector<pollfd> watched{{signals_, POLLIN, 0}};
    for (const Child& child : children_) {
      // poll ignores the -1 of what is closed.
      watched.push_back({child.output_fd(), POLLIN, 0});
      if (child.is_running()) watched.push_back({child.end_fd(), POLLIN, 0});
    }
    const auto rest_ms = std::min<std::int64_t>(rest_ns / millisecond_ns + 1, 60'000);
    poll(watched.data(), watched.size(), static_cast<int>(rest_ms));
  }
  return event;
}

}  // namespace abuzz::bench
