#include "tools/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace abuzz::tools {
namespace {

using std::chrono::steady_clock;

// Its end raises nothing that poll could wait for where its stdout lives on in another process.
constexpr std::chrono::milliseconds look_interval{20};

Failure failure_of(const char* call, int cause) {
  return {Error::system, std::string(call) + ": " + std::generic_category().message(cause)};
}

void close_once(int& descriptor) noexcept {
  if (descriptor >= 0) ::close(std::exchange(descriptor, -1));
}

// What the child does between fork and the command: system calls only, because other threads of
// this process may hold any lock. What signals we block or ignore is not the command's business.
[[noreturn]] void become(int input, int output, pid_t parent, char* const* words,
                         char* const* environment) noexcept {
  ::setpgid(0, 0);
  // If we are killed, it goes too.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  struct sigaction by_default {};
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &by_default, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(input, 0);
  ::dup2(output, 1);
  ::execve("/bin/sh", words, environment);
  ::_exit(127);
}

std::vector<char*> pointers(const std::vector<std::string>& texts, char** before) {
  std::vector<char*> result;
  for (; before != nullptr && *before != nullptr; ++before) result.push_back(*before);
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

}  // namespace

ChildProcess::ChildProcess(std::string_view input, std::size_t output_bytes_max) noexcept
    : input_(input), output_bytes_max_(output_bytes_max) {}

ChildProcess::~ChildProcess() {
  end(std::chrono::milliseconds(0));
  close_once(to_child_);
  close_once(from_child_);
}

Status ChildProcess::start(const std::string& command,
                           const std::vector<std::string>& environment) {
  int input[2], output[2];
  if (::pipe2(input, O_CLOEXEC) != 0) return failure_of("pipe2", errno);
  if (::pipe2(output, O_CLOEXEC) != 0) {
    const int cause = errno;
    ::close(input[0]);
    ::close(input[1]);
    return failure_of("pipe2", cause);
  }
  to_child_ = input[1];
  from_child_ = output[0];
  ::fcntl(to_child_, F_SETFL, O_NONBLOCK);
  ::fcntl(from_child_, F_SETFL, O_NONBLOCK);
  const std::vector<std::string> words{"sh", "-c", command};
  const std::vector<char*> arguments = pointers(words, nullptr);
  const std::vector<char*> variables = pointers(environment, environ);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) become(input[0], output[1], parent, arguments.data(), variables.data());
  const int cause = errno;
  ::close(input[0]);
  ::close(output[1]);
  if (pid_ < 0) {
    pid_ = 0;
    return failure_of("fork", cause);
  }
  ::setpgid(pid_, pid_);  // both do it: who is first is not known
  group_ = pid_;
  return Done{};
}

void ChildProcess::feed() {
  while (fed_ < input_.size()) {
    const ssize_t wrote = ::write(to_child_, input_.data() + fed_, input_.size() - fed_);
    if (wrote < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (wrote < 0) break;  // it does not read all: its choice
    fed_ += static_cast<std::size_t>(wrote);
  }
  close_once(to_child_);
}

// False at the end of its output.
bool ChildProcess::read_some() {
  std::array<char, 64u << 10u> buffer;
  while (output_.size() <= output_bytes_max_) {
    const ssize_t got = ::read(from_child_, buffer.data(), buffer.size());
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    output_.append(buffer.data(), static_cast<std::size_t>(got));
  }
  wrote_too_much_ = true;
  return false;
}

bool ChildProcess::has_exited() {
  if (pid_ == 0) return true;
  const pid_t waited = ::waitpid(pid_, &status_, WNOHANG);
  if (waited != pid_ && !(waited < 0 && errno == ECHILD)) return false;
  pid_ = 0;
  return true;
}

bool ChildProcess::work(std::chrono::milliseconds patience) {
  const auto until = steady_clock::now() + patience;
  while (true) {
    if (to_child_ >= 0) feed();
    if (from_child_ >= 0 && !read_some()) close_once(from_child_);
    if (wrote_too_much_) return true;
    if (has_exited()) {
      // What it wrote last is in the pipe; whoever else holds it is not waited for.
      if (from_child_ >= 0) read_some();
      return true;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd wanted[2] = {{to_child_, POLLOUT, 0}, {from_child_, POLLIN, 0}};
    const auto span =
        std::min(left, from_child_ < 0 ? std::chrono::milliseconds(1) : look_interval);
    ::poll(wanted, 2, static_cast<int>(span.count()));
  }
}

void ChildProcess::end(std::chrono::milliseconds patience) {
  if (group_ == 0) return;
  const auto until = steady_clock::now() + patience;
  ::kill(-group_, SIGTERM);
  while (!has_exited() && steady_clock::now() < until) {
    if (from_child_ >= 0) {
      output_.clear();
      if (!read_some()) close_once(from_child_);
    }
    ::poll(nullptr, 0, 5);
  }
  // Its group, not only itself: what it started in turn ends too.
  ::kill(-group_, SIGKILL);
  if (pid_ != 0) {
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) continue;
    pid_ = 0;
  }
  group_ = 0;
}

std::string ChildProcess::fault() const {
  if (wrote_too_much_) return "it wrote more than " + std::to_string(output_bytes_max_) + " bytes";
  if (WIFSIGNALED(status_)) return "killed by signal " + std::to_string(WTERMSIG(status_));
  if (WEXITSTATUS(status_) != 0) return "exit code " + std::to_string(WEXITSTATUS(status_));
  return {};
}

}  // namespace abuzz::tools
