#include "bus/node/node_threads.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <set>
#include <thread>

#include "bus/link/unix_door.hpp"
#include "bus/wire/control.hpp"
#include "tests/node/temporary_directory.hpp"

// A whole node with real sockets: "Zmq" keeps these from ThreadSanitizer, which cannot see into it.

namespace abuzz::node::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class NodeOverZmq : public testing::Test {
 protected:
  NodeOverZmq() { config_.node.runtime_directory = path_; }

  std::unique_ptr<NodeThreads> start(bool managed = false) {
    return NodeThreads::start(config_, managed).value();
  }
  std::unique_ptr<link::DoorCall> greet(const std::string& name) {
    auto call = link::call_unix_door(path_ + "/door").value();
    wire::DoorHello hello;
    hello.name = name;
    call->try_send(wire::write_door(hello));
    return call;
  }
  static link::DoorCall::Status await(link::DoorCall& call, std::vector<std::byte>& datagram) {
    for (;;) {
      const auto status = call.try_receive(datagram);
      if (status != link::DoorCall::Status::empty) return status;
      pollfd descriptor{call.wait_descriptor(), POLLIN, 0};
      if (poll(&descriptor, 1, 5000) <= 0) return status;
    }
  }
  // Runs `function` in a process of its own; its result is the exit status.
  template <class Function>
  static pid_t in_child(Function function) {
    const pid_t child = fork();
    if (child == 0) _exit(function());
    return child;
  }
  static int result_of(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  TemporaryDirectory folder_;
  const std::string path_ = folder_ / "run";
  Config config_;
};

TEST_F(NodeOverZmq, welcomes_stops_and_leaves_nothing_but_its_state) {
  auto node = start();
  EXPECT_EQ(node->runtime_directory(), path_);
  auto call = greet("alice");
  std::vector<std::byte> datagram;
  ASSERT_EQ(await(*call, datagram), link::DoorCall::Status::done);
  wire::DoorWelcome welcome;
  ASSERT_EQ(wire::read_door(datagram, welcome), wire::Reject::none);
  EXPECT_EQ(welcome.endpoint, "ipc://" + path_ + "/shard-1-0.ipc");
  EXPECT_TRUE(exists(path_ + "/shard-1-0.ipc"));
  const StatsSnapshot stats = read_stats(path_ + "/node.counters").value();
  EXPECT_EQ(stats.identity.node_id, node->identity().node_id);
  EXPECT_EQ(stats.rows.at(0).get(ProcessCounter::state),
            static_cast<std::uint64_t>(PeerState::ready));
  EXPECT_NE(stats.rows.at(0).get(ProcessCounter::beat_ns), 0U);

  const NodeThreads::Departure departure = node->stop(100ms);
  EXPECT_EQ(departure.agents, 1U);
  EXPECT_EQ(departure.unsent, 0U);
  EXPECT_EQ(await(*call, datagram), link::DoorCall::Status::closed);
  for (const char* name : {"/door", "/node.counters", "/shard-1-0.ipc"}) {
    EXPECT_FALSE(exists(path_ + name)) << name;
  }
  EXPECT_TRUE(exists(path_ + "/node.state"));
}

TEST_F(NodeOverZmq, is_the_only_one_in_its_directory) {
  auto node = start();
  const auto before = std::chrono::steady_clock::now();
  const auto second = NodeThreads::start(config_, false);
  EXPECT_EQ(second.error(), Error::node_already_running);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 500ms)
      << "the door answers: no need to wait";
  node.reset();
  EXPECT_EQ(start()->identity().node_epoch, 2U);
}

TEST_F(NodeOverZmq, several_run_in_one_process) {
  auto first = start();
  config_.node.runtime_directory = folder_ / "other";
  auto second = start();
  EXPECT_NE(first->identity().node_id, second->identity().node_id);
}

TEST_F(NodeOverZmq, request_stop_ends_wait_also_from_a_signal_handler) {
  static NodeThreads* running = nullptr;
  auto node = start();
  running = node.get();
  struct sigaction action {};
  action.sa_handler = [](int) { running->request_stop(); };
  struct sigaction before {};
  sigaction(SIGUSR1, &action, &before);
  std::thread waiter([&] { node->wait(); });
  kill(getpid(), SIGUSR1);
  waiter.join();
  sigaction(SIGUSR1, &before, nullptr);
  node->wait();  // stays true
}

TEST_F(NodeOverZmq, an_empty_node_leaves_and_frees_the_directory_by_itself) {
  config_.node.idle_exit = 1s;
  auto node = start();
  node->wait();
  EXPECT_FALSE(exists(path_ + "/door"));
  // Without a stop: whoever embeds a node may never ask.
  base::FileLock lock = base::FileLock::open(path_ + "/start.lock").value();
  EXPECT_TRUE(lock.try_take());
  auto next = start();
  EXPECT_EQ(next->identity().node_epoch, 2U);
}

TEST_F(NodeOverZmq, a_killed_node_needs_no_cleaning) {
  const pid_t child = in_child([&] {
    auto node = NodeThreads::start(config_, false);
    if (!node.ok()) return 1;
    pause();
    return 0;
  });
  while (!link::call_unix_door(path_ + "/door").ok()) std::this_thread::sleep_for(1ms);
  kill(child, SIGKILL);
  EXPECT_EQ(result_of(child), -SIGKILL);
  EXPECT_TRUE(exists(path_ + "/door"));
  auto node = start();
  EXPECT_EQ(node->identity().node_epoch, 2U);
  EXPECT_FALSE(exists(path_ + "/shard-1-0.ipc"));
}

TEST_F(NodeOverZmq, an_idle_node_sleeps) {
  auto node = start();
  std::this_thread::sleep_for(200ms);
  timespec from, to;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
  const auto wakeups = [&] {
    return read_stats(path_ + "/node.counters").value().rows.at(0).get(ProcessCounter::wakeups);
  };
  const std::uint64_t before = wakeups();
  std::this_thread::sleep_for(2s);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
  const double seconds = static_cast<double>(to.tv_sec - from.tv_sec) +
                         static_cast<double>(to.tv_nsec - from.tv_nsec) / 1e9;
  EXPECT_LT(seconds, 0.02) << "1 % of a core";
  EXPECT_LE(wakeups() - before, 8U);
}

TEST_F(NodeOverZmq, threads_have_names_and_take_no_signals) {
  auto node = start();
  std::set<std::string> names;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    const std::string name = read_text(task.path() / "comm");
    if (!name.starts_with("abz-")) continue;
    names.insert(name.substr(0, name.find('\n')));
    const std::string status = read_text(task.path() / "status");
    const std::string mask = status.substr(status.find("SigBlk:") + 7);
    const std::uint64_t blocked = std::stoull(mask, nullptr, 16);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1, SIGPIPE}) {
      EXPECT_TRUE((blocked >> (signal - 1) & 1) != 0) << name << signal;
    }
  }
  EXPECT_EQ(names, (std::set<std::string>{"abz-door", "abz-shard-0"}));
}

TEST_F(NodeOverZmq, with_few_descriptors_takes_few_agents_and_never_aborts) {
  const pid_t child = in_child([&] {
    for (int fd = 3; fd < 1024; ++fd) close(fd);
    const rlimit few{64, 64};
    setrlimit(RLIMIT_NOFILE, &few);
    auto node = NodeThreads::start(config_, false);
    if (!node.ok()) return node.error() == Error::descriptors ? 10 : 1;
    pause();
    return 0;
  });
  while (!link::call_unix_door(path_ + "/door").ok()) {
    ASSERT_EQ(waitpid(child, nullptr, WNOHANG), 0) << "64 are enough for a node";
    std::this_thread::sleep_for(1ms);
  }
  std::vector<std::unique_ptr<link::DoorCall>> calls;
  int welcomes = 0, refusals = 0;
  for (int agent = 0; agent < 40; ++agent) {
    calls.push_back(greet("agent" + std::to_string(agent)));
    std::vector<std::byte> datagram;
    if (await(*calls.back(), datagram) != link::DoorCall::Status::done) continue;
    wire::DoorWelcome welcome;
    wire::DoorRefusal refusal;
    if (wire::read_door(datagram, welcome) == wire::Reject::none) {
      ++welcomes;
    } else if (wire::read_door(datagram, refusal) == wire::Reject::none) {
      EXPECT_EQ(refusal.error, static_cast<std::uint16_t>(Error::descriptors));
      ++refusals;
    }
  }
  EXPECT_GE(welcomes, 2);
  EXPECT_GE(refusals, 1);
  EXPECT_EQ(waitpid(child, nullptr, WNOHANG), 0) << "it lives on";
  kill(child, SIGKILL);
  result_of(child);
}

TEST_F(NodeOverZmq, with_too_few_descriptors_says_so) {
  const pid_t child = in_child([&] {
    for (int fd = 3; fd < 1024; ++fd) close(fd);
    const rlimit few{20, 20};
    setrlimit(RLIMIT_NOFILE, &few);
    const auto node = NodeThreads::start(config_, false);
    return !node.ok() && node.error() == Error::descriptors ? 10 : 1;
  });
  EXPECT_EQ(result_of(child), 10);
}

TEST_F(NodeOverZmq, an_unusable_directory_is_an_error_and_leaves_no_lock) {
  config_.node.runtime_directory = "/proc/abuzz";
  EXPECT_EQ(NodeThreads::start(config_, false).error(), Error::system);
}

}  // namespace
}  // namespace abuzz::node::test
