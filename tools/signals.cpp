#include "tools/signals.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <ctime>
#include <thread>
#include <utility>

namespace abuzz::tools {
namespace {

bool ends_process(int number) {
  return number == SIGINT || number == SIGTERM || number == SIGHUP;
}

// Under nohup a hang-up is meant to be ignored; a blocked signal would arrive all the same. An
// interrupt is not: scripts start their background jobs with it ignored, and who then sends one to
// such a job by its pid wants it to end.
bool is_ignored(int number) {
  struct sigaction action {};
  return number == SIGHUP && ::sigaction(number, nullptr, &action) == 0 &&
         action.sa_handler == SIG_IGN;
}

timespec to_timespec(std::chrono::nanoseconds span) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span);
  return {static_cast<std::time_t>(seconds.count()), static_cast<long>((span - seconds).count())};
}

}  // namespace

Signals::Signals(std::initializer_list<int> numbers) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : numbers) {
    if (!is_ignored(number)) sigaddset(&set, number);
  }
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // The kernel throws away what is ignored, also when it is blocked.
  for (const int number : numbers)
    if (!is_ignored(number)) ::signal(number, SIG_DFL);
  signal_descriptor_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  wake_descriptor_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (signal_descriptor_ >= 0 && wake_descriptor_ >= 0) return;
  // Without both descriptors nothing could be noticed: then the signals keep their plain meaning.
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  for (int* descriptor : {&signal_descriptor_, &wake_descriptor_}) {
    if (*descriptor >= 0) ::close(std::exchange(*descriptor, -1));
  }
}

Signals::~Signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  if (signal_descriptor_ >= 0) ::close(signal_descriptor_);
  if (wake_descriptor_ >= 0) ::close(wake_descriptor_);
}

int Signals::wait(std::chrono::nanoseconds patience) {
  pollfd wanted[2] = {{signal_descriptor_, POLLIN, 0}, {wake_descriptor_, POLLIN, 0}};
  const timespec limit = to_timespec(patience);
  if (::ppoll(wanted, 2, &limit, nullptr) <= 0) return 0;
  if (wanted[1].revents != 0) take_wake();
  signalfd_siginfo info{};
  if (wanted[0].revents == 0 || ::read(signal_descriptor_, &info, sizeof info) != sizeof info) {
    return 0;
  }
  const int number = static_cast<int>(info.ssi_signo);
  if (ends_process(number)) {
    sigset_t set;
    sigemptyset(&set);
    for (const int ending : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, ending);
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  }
  return number;
}

void Signals::wake() {
  const std::uint64_t once = 1;
  // A full counter wakes too, so the answer says nothing.
  [[maybe_unused]] const ssize_t done = ::write(wake_descriptor_, &once, sizeof once);
}

void Signals::take_wake() {
  std::uint64_t times = 0;
  // Nothing to read is as good: then somebody else took it.
  [[maybe_unused]] const ssize_t done = ::read(wake_descriptor_, &times, sizeof times);
}

void Signals::end_process_during(const std::function<void()>& work) {
  if (wake_descriptor_ < 0) return work();  // the watcher would never be woken
  std::thread watcher([this] {
    pollfd wanted[2] = {{signal_descriptor_, POLLIN, 0}, {wake_descriptor_, POLLIN, 0}};
    ::poll(wanted, 2, -1);
    signalfd_siginfo info{};
    if (wanted[0].revents != 0 && ::read(signal_descriptor_, &info, sizeof info) == sizeof info) {
      ::_exit(exit_code_of_signal(static_cast<int>(info.ssi_signo)));
    }
  });
  work();
  wake();
  watcher.join();
  take_wake();
}

void ignore_broken_pipes() {
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace abuzz::tools
