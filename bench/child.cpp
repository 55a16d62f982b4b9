#include "bench/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "bench/time.hpp"

namespace abuzz::bench {
namespace {

Failure system_failure(const std::string& call) {
  return {Error::system, call + ": " + std::strerror(errno)};
}

void close_fd(int& fd) noexcept {
  if (fd >= 0) close(fd);
  fd = -1;
}

// In the child, between fork and exec.
[[noreturn]] void become(const Command& command, int input, int output, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it died before the line above
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  if (command.tells_errors) dup2(output, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  std::signal(SIGINT, SIG_IGN);
  for (const std::string& assignment : command.environment) {
    const std::size_t equals = assignment.find('=');
    setenv(assignment.substr(0, equals).c_str(), assignment.substr(equals + 1).c_str(), 1);
  }
  std::vector<char*> arguments;
  std::string name = command.program == "/proc/self/exe" ? "abuzz" : command.program;
  arguments.push_back(name.data());
  for (const std::string& argument : command.arguments) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  execv(command.program.c_str(), arguments.data());
  const std::string text =
      "abuzz: cannot run " + command.program + ": " + std::strerror(errno) + "\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
  _exit(127);
}

}  // namespace

Result<Child> Child::spawn(const Command& command) {
  int to_child[2] = {-1, -1};
  int from_child[2] = {-1, -1};
  if (pipe2(to_child, O_CLOEXEC) != 0) return system_failure("pipe");
  if (pipe2(from_child, O_CLOEXEC) != 0) {
    const Failure failure = system_failure("pipe");
    close_fd(to_child[0]);
    close_fd(to_child[1]);
    return failure;
  }
  Child child;
  child.label_ = command.label;
  child.input_ = to_child[1];
  child.output_ = from_child[0];
  fcntl(child.output_, F_SETFL, O_NONBLOCK);
  const pid_t self = getpid();
  const pid_t pid = fork();
  if (pid == 0) become(command, to_child[0], from_child[1], self);
  const Failure failure = system_failure("fork");
  close_fd(to_child[0]);
  close_fd(from_child[1]);
  if (pid < 0) return failure;
  child.pid_ = pid;
  // The wrapper of glibc 2.36 has no C linkage.
  child.end_ = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (child.end_ < 0) return system_failure("pidfd_open");
  return child;
}

Child::Child(Child&& other) noexcept
    : label_(std::move(other.label_)),
      buffer_(std::move(other.buffer_)),
      pid_(std::exchange(other.pid_, -1)),
      input_(std::exchange(other.input_, -1)),
      output_(std::exchange(other.output_, -1)),
      end_(std::exchange(other.end_, -1)),
      exit_code_(other.exit_code_) {}

Child::~Child() {
  signal(SIGKILL);
  reap();
  close_fd(input_);
  close_fd(output_);
  close_fd(end_);
}

void Child::tell(std::string_view line) noexcept {
  std::string text(line);
  text += '\n';
  // A command fits a pipe's buffer, so one write takes it whole. SIGPIPE is the caller's to ignore.
  [[maybe_unused]] const ssize_t written = write(input_, text.data(), text.size());
}

void Child::close_input() noexcept {
  close_fd(input_);
}

void Child::read_output() {
  char bytes[16 * 1024];
  while (output_ >= 0) {
    const ssize_t got = read(output_, bytes, sizeof bytes);
    if (got > 0) buffer_.append(bytes, static_cast<std::size_t>(got));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) close_fd(output_);
  }
}

bool Child::take_line(std::string& line) {
  const std::size_t end = buffer_.find('\n');
  if (end == std::string::npos) return false;
  line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  return true;
}

void Child::signal(int number) noexcept {
  // Not reaped yet, so the pid is still this child's.
  if (pid_ > 0) kill(pid_, number);
}

int Child::reap() noexcept {
  if (pid_ <= 0) return exit_code_;
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return exit_code_;
}

std::string first_line_of(const std::string& program, const std::string& argument) {
  auto started = Child::spawn({program, program, {argument}, {}});
  if (!started) return {};
  Child& child = started.value();
  const std::int64_t deadline_ns = now_ns() + 2 * second_ns;
  std::string line;
  while (!child.take_line(line) && child.output_fd() >= 0 && now_ns() < deadline_ns) {
    pollfd output{child.output_fd(), POLLIN, 0};
    poll(&output, 1, 100);
    child.read_output();
  }
  return line;
}

}  // namespace abuzz::bench
