#include "bus/client/spawn.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

// Two processes are made one behind the other, both like vfork: they borrow this process's memory
// while the calling thread waits. What runs in them makes system calls and nothing else, and is not
// instrumented, as the sanitizers' shadow memory is borrowed too.
#define ABUZZ_BORROWED __attribute__((no_sanitize("address", "thread", "undefined")))

// The C library's clone under its other name: ThreadSanitizer takes calls of `clone` for a fork,
// and would note in the borrowed memory that this process is a child.
extern "C" int __clone(int (*function)(void*), void* stack, int flags, void* argument,
                       ...) noexcept;

namespace abuzz::client {
namespace {

// As the kernel has it: one bit a signal, also for the two that the C library keeps to itself.
using KernelSignalMask = std::uint64_t;
constexpr int signal_count = 64;

constexpr KernelSignalMask bit(int signal) noexcept {
  return KernelSignalMask{1} << (signal - 1);
}
constexpr KernelSignalMask always_unblocked =
    bit(SIGTERM) | bit(SIGINT) | bit(SIGQUIT) | bit(SIGHUP) | bit(SIGABRT) | bit(SIGSEGV) |
    bit(SIGBUS) | bit(SIGFPE) | bit(SIGILL) | bit(SIGSYS) | bit(SIGTRAP);

struct KernelSignalAction {
  void* handler = nullptr;  // SIG_DFL
  unsigned long flags = 0;
  void* restorer = nullptr;
  KernelSignalMask mask = 0;
};

struct Plan {
  // Written before; constant afterwards.
  const char* program = nullptr;
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const char* log = nullptr;
  KernelSignalMask mask = 0;
  cpu_set_t cpus{};
  bool has_cpus = false;
  void* second_stack_end = nullptr;
  // Written by the borrowers.
  pid_t pid = 0;
  const char* failed_call = nullptr;
  int failed_errno = 0;
};

// One mapping for the stacks of both; its lowest page catches an overflow.
class Stacks {
 public:
  static constexpr std::size_t stack_bytes = 64 * 1024;

  Stacks() noexcept
      : base_(mmap(nullptr, 2 * stack_bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {
    if (is_open()) mprotect(base_, 4096, PROT_NONE);
  }
  ~Stacks() {
    if (is_open()) munmap(base_, 2 * stack_bytes);
  }
  Stacks(const Stacks&) = delete;
  Stacks& operator=(const Stacks&) = delete;

  bool is_open() const noexcept { return base_ != MAP_FAILED; }
  void* first_end() const noexcept { return static_cast<char*>(base_) + 2 * stack_bytes; }
  void* second_end() const noexcept { return static_cast<char*>(base_) + stack_bytes; }

 private:
  void* base_;
};

[[noreturn]] ABUZZ_BORROWED void leave(int status) noexcept {
  for (;;) syscall(SYS_exit_group, status);  // _exit is watched by the sanitizers, too
}

[[noreturn]] ABUZZ_BORROWED void give_up(Plan& plan, const char* call) noexcept {
  plan.failed_errno = errno;
  plan.failed_call = call;
  leave(127);
}

ABUZZ_BORROWED void close_from(unsigned first) noexcept {
  if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
  for (unsigned fd = first; fd < 65'536; ++fd) syscall(SYS_close, fd);  // before Linux 5.9
}

// The process that becomes the program.
ABUZZ_BORROWED int run_program(void* argument) noexcept {
  Plan& plan = *static_cast<Plan*>(argument);
  setsid();
  umask(077);
  const long null = syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
  if (null < 0) give_up(plan, "open /dev/null");
  constexpr int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW;
  const long log = syscall(SYS_openat, AT_FDCWD, plan.log, flags, 0600);
  if (log < 0) give_up(plan, "open the log");
  // Above 2, so that none of the three is closed when it takes its place.
  const long safe_null = syscall(SYS_fcntl, null, F_DUPFD, 3);
  const long safe_log = syscall(SYS_fcntl, log, F_DUPFD, 3);
  if (safe_null < 0 || safe_log < 0) give_up(plan, "fcntl");
  if (syscall(SYS_dup3, safe_null, 0, 0) < 0 || syscall(SYS_dup3, safe_log, 1, 0) < 0 ||
      syscall(SYS_dup3, safe_log, 2, 0) < 0) {
    give_up(plan, "dup3");
  }
  close_from(3);
  if (plan.has_cpus) syscall(SYS_sched_setaffinity, 0, sizeof plan.cpus, &plan.cpus);
  const KernelSignalAction by_default;
  for (int signal = 1; signal <= signal_count; ++signal) {
    syscall(SYS_rt_sigaction, signal, &by_default, nullptr, sizeof by_default.mask);
  }
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &plan.mask, nullptr, sizeof plan.mask);
  execve(plan.program, plan.arguments, plan.environment);
  give_up(plan, "execve");
}

// The process in between: when it ends, the program belongs to nobody.
ABUZZ_BORROWED int run_between(void* argument) noexcept {
  Plan& plan = *static_cast<Plan*>(argument);
  const int pid =
      __clone(run_program, plan.second_stack_end, CLONE_VM | CLONE_VFORK | SIGCHLD, &plan);
  if (pid < 0) give_up(plan, "clone");
  plan.pid = pid;
  leave(0);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

}  // namespace

Result<pid_t> spawn_detached(const SpawnOrder& order) {
  const std::vector<char*> arguments = pointers(order.arguments);
  const std::vector<char*> environment = pointers(order.environment);
  const Stacks stacks;
  if (!stacks.is_open()) return Failure{Error::out_of_memory, "mmap"};
  Plan plan;
  plan.program = order.program.c_str();
  plan.arguments = arguments.data();
  plan.environment = environment.data();
  plan.log = order.log.c_str();
  plan.second_stack_end = stacks.second_end();
  // Of the main thread: the calling one may be pinned to a single CPU.
  plan.has_cpus = sched_getaffinity(getpid(), sizeof plan.cpus, &plan.cpus) == 0;

  // No handler of this process may run in a process that borrows its memory.
  const KernelSignalMask all = ~KernelSignalMask{0};
  KernelSignalMask before = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof before);
  plan.mask = before & ~always_unblocked;
  // No exit signal: this process is not told, and its own wait calls do not find a stranger.
  const int between = __clone(run_between, stacks.first_end(), CLONE_VM | CLONE_VFORK, &plan);
  const int clone_errno = errno;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, nullptr, sizeof before);
  if (between < 0) {
    return Failure{Error::system, "clone: " + std::generic_category().message(clone_errno)};
  }
  while (waitpid(between, nullptr, __WALL) < 0 && errno == EINTR) continue;
  if (plan.failed_call != nullptr) {
    return Failure{Error::system, std::string(plan.failed_call) + " for " + order.program + ": " +
                                      std::generic_category().message(plan.failed_errno)};
  }
  return plan.pid;
}

}  // namespace abuzz::client
