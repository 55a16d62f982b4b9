#include "bus/client/launch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "bus/base/file_lock.hpp"
#include "bus/base/runtime_paths.hpp"
#include "bus/client/spawn.hpp"
#include "bus/link/unix_door.hpp"
#include "tests/scratch.hpp"

// The program that is started is a shell script which notes what it was given; its door is opened
// by the test.

namespace abuzz::client::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}
std::size_t count_lines(const std::string& path) {
  const std::string text = read_text(path);
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

class Launch : public testing::Test {
 protected:
  Launch() {
    config_.node.runtime_directory = folder_ + "/run";
    setenv("ABUZZ_NODE_BIN", (folder_ + "/abuzz").c_str(), 1);
  }
  ~Launch() override {
    unsetenv("ABUZZ_NODE_BIN");
    release();
  }
  // The script ends when its gate, a fifo, is opened by release().
  void write_script(const std::string& body) {
    mkfifo((folder_ + "/gate").c_str(), 0600);
    std::ofstream(folder_ + "/abuzz") << "#!/bin/sh\nF=" << folder_ << "\n" << body << "\n";
    chmod((folder_ + "/abuzz").c_str(), 0700);
  }
  void release() { std::filesystem::remove(folder_ + "/gate"); }
  std::string noted(const std::string& name) { return read_text(folder_ + "/" + name); }
  void await(const std::string& name) {
    while (!std::filesystem::exists(folder_ + "/" + name)) std::this_thread::sleep_for(1ms);
  }
  std::string door() const { return folder_ + "/run/door"; }

  const ScratchDirectory scratch_;
  const std::string folder_ = scratch_.path();
  Config config_;
};

// Written last, under another name first, so that who sees it sees all of it.
constexpr const char* note_all =
    "echo \"$0 $*\" > $F/arguments\n"
    "env > $F/environment\n"
    "ls -l /proc/$$/fd\n"  // into the log, as a shell that redirects opens more
    "cat /proc/$$/stat > $F/stat\n"
    "umask > $F/umask\n"
    "echo done > $F/noted.new; mv $F/noted.new $F/noted\n";

TEST_F(Launch, gives_the_node_what_it_needs_and_nothing_else) {
  write_script(std::string(note_all) + "while [ -e $F/gate ]; do sleep 0.01; done");
  setenv("ABUZZ_TEST_KEPT", "kept", 1);
  setenv("ABUZZ_NODE__RUNTIME_DIRECTORY", "/elsewhere", 1);
  const int stray = dup(0);
  std::unique_ptr<link::DoorListener> listener;
  std::thread opener([&] {
    await("noted");
    listener = link::listen_unix_door(door(), {}).value();
  });
  const Status started = start_node(config_, 10s);
  opener.join();
  close(stray);
  unsetenv("ABUZZ_TEST_KEPT");
  unsetenv("ABUZZ_NODE__RUNTIME_DIRECTORY");
  ASSERT_TRUE(started.ok()) << started.failure().message();
  EXPECT_EQ(noted("arguments"), folder_ + "/abuzz node run --spawned\n");
  EXPECT_THAT(noted("environment"),
              HasSubstr("\nABUZZ_NODE__RUNTIME_DIRECTORY=" + folder_ + "/run\n"));
  EXPECT_THAT(noted("environment"), Not(HasSubstr("/elsewhere")));
  EXPECT_THAT(noted("environment"), HasSubstr("ABUZZ_TEST_KEPT=kept\n"));
  const std::string descriptors = noted("run/node.log");
  EXPECT_THAT(descriptors, HasSubstr(" 0 -> /dev/null\n"));
  EXPECT_THAT(descriptors, HasSubstr(" 1 -> " + folder_ + "/run/node.log\n"));
  EXPECT_THAT(descriptors, HasSubstr(" 2 -> " + folder_ + "/run/node.log\n"));
  // A line in front, the three, and the script, which the shell keeps open.
  EXPECT_EQ(count_lines(folder_ + "/run/node.log"), 5U) << descriptors;
  EXPECT_EQ(noted("umask"), "0077\n");
  int pid = 0, parent = 0, group = 0, session = 0;
  const std::string stat_line = noted("stat");
  std::sscanf(stat_line.c_str(), "%d", &pid);
  std::sscanf(stat_line.c_str() + stat_line.rfind(')') + 3, "%*c %d", &parent);
  std::sscanf(stat_line.c_str() + stat_line.rfind(')') + 2, "%*c %d %d %d", &parent, &group,
              &session);
  EXPECT_EQ(session, pid) << "it leads a session";
  EXPECT_NE(parent, getpid());
  struct stat status;
  ASSERT_EQ(stat((folder_ + "/run").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
}

TEST_F(Launch, leaves_no_zombie_raises_no_signal_and_disturbs_no_wait) {
  write_script("echo >> $F/ran; while [ -e $F/gate ]; do sleep 0.01; done");
  static std::atomic<int> signals;
  signals = 0;
  struct sigaction action {};
  action.sa_handler = [](int) { ++signals; };
  struct sigaction before {};
  sigaction(SIGCHLD, &action, &before);
  std::atomic<bool> is_over{false};
  std::atomic<int> strangers{0};
  std::thread waiter([&] {  // as a host program that reaps whatever it finds
    while (!is_over) strangers += waitpid(-1, nullptr, WNOHANG) > 0 ? 1 : 0;
  });
  SpawnOrder order;
  order.program = folder_ + "/abuzz";
  order.arguments = {"abuzz"};
  order.log = folder_ + "/log";
  for (int round = 0; round < 50; ++round) ASSERT_TRUE(spawn_detached(order).ok());
  while (count_lines(folder_ + "/ran") < 50) std::this_thread::sleep_for(1ms);
  release();
  is_over = true;
  waiter.join();
  sigaction(SIGCHLD, &before, nullptr);
  EXPECT_EQ(signals, 0);
  EXPECT_EQ(strangers, 0);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "no child is left";
  EXPECT_EQ(errno, ECHILD);
}

TEST_F(Launch, of_a_thread_that_blocks_signals_gives_a_node_that_can_be_ended) {
  SpawnOrder order;
  order.program = "/bin/cat";
  order.arguments = {"cat", "/proc/self/status"};
  order.log = folder_ + "/log";
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  struct sigaction before {};
  sigaction(SIGINT, &ignore, &before);
  std::thread library([&] {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
    EXPECT_TRUE(spawn_detached(order).ok());
    sigset_t after;
    pthread_sigmask(SIG_SETMASK, nullptr, &after);
    EXPECT_EQ(sigismember(&after, SIGTERM), 1) << "the caller's own mask is as before";
  });
  library.join();
  sigaction(SIGINT, &before, nullptr);
  while (noted("log").find("Cpus_allowed_list") == std::string::npos) {
    std::this_thread::sleep_for(1ms);
  }
  const std::string status = noted("log");
  const auto mask_of = [&](const char* field) {
    return std::stoull(status.substr(status.find(field) + 7), nullptr, 16);
  };
  EXPECT_EQ(mask_of("SigBlk:") >> (SIGTERM - 1) & 1, 0U);
  EXPECT_EQ(mask_of("SigBlk:") >> (SIGINT - 1) & 1, 0U);
  EXPECT_NE(mask_of("SigBlk:") >> (SIGUSR1 - 1) & 1, 0U) << "otherwise the mask is kept";
  EXPECT_EQ(mask_of("SigIgn:") >> (SIGINT - 1) & 1, 0U) << "dispositions are not";
  cpu_set_t own;
  sched_getaffinity(getpid(), sizeof own, &own);
  const std::string allowed = "Cpus_allowed_list:\t";
  if (CPU_COUNT(&own) > 1) {
    EXPECT_THAT(status, Not(HasSubstr(allowed + "0\n")))
        << "the pin of one thread is not passed on";
  }
}

TEST_F(Launch, of_a_program_that_cannot_run_says_why) {
  SpawnOrder order;
  order.program = folder_ + "/missing";
  order.arguments = {"abuzz"};
  order.log = folder_ + "/log";
  Result<pid_t> result = spawn_detached(order);
  EXPECT_THAT(result.failure().detail, HasSubstr("execve for " + order.program));
  EXPECT_THAT(result.failure().detail, HasSubstr("No such file"));
  order.log = folder_ + "/missing/log";
  result = spawn_detached(order);
  EXPECT_THAT(result.failure().detail, HasSubstr("open the log"));
}

TEST_F(Launch, answers_at_once_where_a_node_is) {
  mkdir((folder_ + "/run").c_str(), 0700);
  auto listener = link::listen_unix_door(door(), {}).value();
  // No script: it would be an error to look for one.
  EXPECT_TRUE(start_node(config_, 0s).ok());
}

TEST_F(Launch, by_many_at_once_starts_one_node) {
  write_script("echo started >> $F/started\nwhile [ -e $F/gate ]; do sleep 0.01; done");
  constexpr int starters = 100;
  std::vector<pid_t> children;
  for (int starter = 0; starter < starters; ++starter) {
    const pid_t child = fork();
    if (child == 0) _exit(start_node(config_, 20s).ok() ? 0 : 1);
    children.push_back(child);
  }
  await("started");
  std::this_thread::sleep_for(50ms);  // so that many wait
  auto listener = link::listen_unix_door(door(), {}).value();
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(noted("started"), "started\n");
}

TEST_F(Launch, by_the_next_after_one_died_waiting_starts_a_node) {
  write_script("echo started >> $F/started\nwhile [ -e $F/gate ]; do sleep 0.01; done");
  const pid_t child = fork();
  if (child == 0) _exit(start_node(config_, 20s).ok() ? 0 : 1);
  await("started");
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  std::unique_ptr<link::DoorListener> listener;
  std::thread opener([&] {
    while (count_lines(folder_ + "/started") < 2) std::this_thread::sleep_for(1ms);
    listener = link::listen_unix_door(door(), {}).value();
  });
  EXPECT_TRUE(start_node(config_, 10s).ok());
  opener.join();
}

TEST_F(Launch, that_fails_shows_the_last_line_of_the_node) {
  write_script("echo first line; echo 'ABZ-0302 config.toml:3: no value' >&2; exit 3");
  const auto before = std::chrono::steady_clock::now();
  const Status started = start_node(config_, 10s);
  EXPECT_EQ(started.error(), Error::node_start_failed);
  EXPECT_THAT(started.failure().detail, HasSubstr("ended: ABZ-0302 config.toml:3: no value"));
  EXPECT_LT(std::chrono::steady_clock::now() - before, 5s) << "its end is noticed";
}

TEST_F(Launch, of_a_silent_node_ends_at_the_deadline) {
  write_script("while [ -e $F/gate ]; do sleep 0.01; done");
  const Status started = start_node(config_, 100ms);
  EXPECT_EQ(started.error(), Error::node_start_failed);
  EXPECT_THAT(started.failure().detail, HasSubstr("did not open its door in time"));
}

TEST_F(Launch, where_a_managed_node_is_expected_only_waits) {
  write_script("echo >> $F/started");
  mkdir((folder_ + "/run").c_str(), 0700);
  std::ofstream(folder_ + "/run/node.state") << "abuzz node state 1\n"
                                             << base::managed_line << "\n";
  const Status started = start_node(config_, 50ms);
  EXPECT_EQ(started.error(), Error::no_node);
  EXPECT_THAT(started.failure().detail, HasSubstr("managed"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/started"));
  auto listener = link::listen_unix_door(door(), {}).value();
  EXPECT_TRUE(start_node(config_, 1s).ok());
}

TEST_F(Launch, waits_for_others_no_longer_than_it_may) {
  write_script("echo >> $F/started");
  mkdir((folder_ + "/run").c_str(), 0700);
  base::FileLock other = base::FileLock::open(folder_ + "/run/start.lock").value();
  ASSERT_TRUE(other.try_take());
  EXPECT_EQ(start_node(config_, 50ms).error(), Error::node_start_failed);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/started"));
}

TEST_F(Launch, in_an_unsafe_directory_is_refused) {
  mkdir((folder_ + "/run").c_str(), 0755);
  EXPECT_EQ(start_node(config_, 1s).error(), Error::runtime_directory_unsafe);
}

TEST_F(Launch, without_a_program_lists_where_it_looked) {
  setenv("ABUZZ_NODE_BIN", "/nowhere/abuzz", 1);
  const Status started = start_node(config_, 1s);
  EXPECT_EQ(started.error(), Error::node_binary_missing);
  EXPECT_THAT(started.failure().detail, HasSubstr("/nowhere/abuzz"));
  unsetenv("ABUZZ_NODE_BIN");
  const std::string path = std::getenv("PATH");
  setenv("PATH", ("relative:" + folder_).c_str(), 1);
#ifndef ABUZZ_INSTALL_BINARY
  EXPECT_THAT(find_node_binary().failure().detail, HasSubstr("PATH=relative:" + folder_));
  write_script("exit 0");
  EXPECT_EQ(find_node_binary().value(), folder_ + "/abuzz");
#endif
  setenv("PATH", path.c_str(), 1);
}

TEST_F(Launch, keeps_the_log_of_nodes_from_growing_for_ever) {
  write_script("exit 1");
  mkdir((folder_ + "/run").c_str(), 0700);
  std::ofstream(folder_ + "/run/node.log") << std::string((1 << 20) + 1, 'x');
  EXPECT_FALSE(start_node(config_, 1s).ok());
  EXPECT_EQ(std::filesystem::file_size(folder_ + "/run/node.log"), 0U);
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/run/node.log.1"));
}

}  // namespace
}  // namespace abuzz::client::test
