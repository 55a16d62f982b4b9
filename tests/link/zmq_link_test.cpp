#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <functional>

#include "bus/link/descriptors.hpp"
#include "bus/link/unix_door.hpp"
#include "tests/link/link_bench.hpp"

// Endpoints, and what happens when descriptors run out.

namespace abuzz::link::test {
namespace {

TEST(ZmqEndpoint, OnlyIpcPathsAndTcpAreTaken) {
  LinkBench bench(Kind::ipc);
  const auto bind_error = [&](const std::string& endpoint) {
    return bind_zmq_hub(bench.context(), bench.pool(), endpoint, part_bytes_max).error();
  };
  const auto connect_error = [&](const std::string& endpoint) {
    return connect_zmq_link(bench.context(), bench.pool(), endpoint, make_secret(1), part_bytes_max,
                            0)
        .error();
  };
  for (const char* endpoint : {"ipc://@abstract", "ipc://*", "ipc://", "inproc://a", "pgm://x", "",
                               "/tmp/x", "vmci://@:1", "udp://127.0.0.1:1"}) {
    EXPECT_EQ(bind_error(endpoint), Error::config_bad_value) << endpoint;
    EXPECT_EQ(connect_error(endpoint), Error::config_bad_value) << endpoint;
  }
  EXPECT_EQ(bind_error("tcp://127.0.0.1"), Error::system);
  EXPECT_EQ(connect_error("tcp://127.0.0.1:port"), Error::system);
  const TemporaryDirectory directory;
  const std::string base = directory.path() + "/";
  const std::string longest = "ipc://" + base + std::string(107 - base.size(), 'e');
  EXPECT_EQ(bind_error(longest + "e"), Error::path_too_long);
  EXPECT_EQ(connect_error(longest + "e"), Error::path_too_long);
  auto hub = bind_zmq_hub(bench.context(), bench.pool(), longest, part_bytes_max).value();
  EXPECT_EQ(hub->endpoint(), longest);
  const auto link = attach(bench, *hub, 1);
}

TEST(ZmqEndpoint, TraitsSayWhatStaysOnTheHost) {
  LinkBench ipc(Kind::ipc);
  LinkBench tcp(Kind::tcp);
  EXPECT_TRUE(ipc.bind()->traits().same_host);
  EXPECT_TRUE(tcp.bind()->traits().same_host);
  EXPECT_FALSE(tcp.bind()->traits().same_process);
  const auto hub = bind_zmq_hub(tcp.context(), tcp.pool(), "tcp://0.0.0.0:*", 100).value();
  EXPECT_FALSE(hub->traits().same_host);
}

TEST(ZmqLink, WithoutANodeItOpensAndClosesInTime) {
  LinkBench bench(Kind::ipc);
  const TemporaryDirectory directory;
  const auto link = bench.connect("ipc://" + directory.path() + "/nobody", make_secret(1));
  Frame frame = bench.frame({10, 10000});
  EXPECT_EQ(link->try_send(frame), SendStatus::sent);
  EXPECT_EQ(link->try_receive(frame), ReceiveStatus::empty);
}

// Runs `body` in a child with few descriptors; answers its exit code, or -1 if it died otherwise.
int run_with_descriptors(rlim_t descriptors, const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{descriptors, descriptors};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::_exit(body());
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ZmqDescriptors, WithoutThemOpeningIsRefusedAndNothingAborts) {
  const int code = run_with_descriptors(40, [] {
    std::vector<int> taken;
    for (int descriptor = 0; (descriptor = ::open("/", O_PATH)) >= 0;) taken.push_back(descriptor);
    if (ZmqContext::open().error() != Error::descriptors) return 1;
    while (taken.size() > 4) {
      ::close(taken.back());
      taken.pop_back();
    }
    LinkBench bench(Kind::ipc);
    std::vector<std::unique_ptr<Hub>> hubs;
    for (int count = 0; count < 40; ++count) {
      auto hub = bind_zmq_hub(bench.context(), bench.pool(), "tcp://127.0.0.1:*", 100);
      if (!hub.ok()) return hub.error() == Error::descriptors ? 0 : 2;
      hubs.push_back(std::move(hub).value());
    }
    return 3;
  });
  EXPECT_EQ(code, 0);
}

TEST(ZmqDescriptors, TheDoorTurnsCallersAwayBeforeTheHubRunsOut) {
  const TemporaryDirectory directory;
  const int code = run_with_descriptors(256, [&] {
    LinkBench bench(Kind::ipc);
    const auto hub = bench.bind();
    const std::string path = directory.path() + "/door";
    const auto listener = listen_unix_door(path, {.descriptors_spare = 180}).value();
    std::vector<std::unique_ptr<DoorCall>> callers;
    Caller caller;
    std::vector<std::byte> datagram;
    while (listener->turned_away() == 0 && callers.size() < 256) {
      callers.push_back(call_unix_door(path).value());
      listener->try_next(caller, datagram);
    }
    // Each of those inside can still have its link: both ends of it are in this process.
    if (callers.size() < 16 || callers.size() > 64) return 1;
    std::vector<std::unique_ptr<Link>> links;
    for (PeerId peer = 1; peer < callers.size(); ++peer) {
      links.push_back(attach(bench, *hub, peer));
    }
    return 0;
  });
  EXPECT_EQ(code, 0);
}

TEST(ZmqDescriptors, TheLimitIsRaisedAsFarAsItGoes) {
  const int code = run_with_descriptors(100, [] {
    rlimit limit{50, 100};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    if (has_free_descriptors(60)) return 1;
    if (raise_descriptor_limit(80) != 80) return 2;
    if (!has_free_descriptors(60)) return 3;
    if (raise_descriptor_limit(70) != 80) return 4;
    return raise_descriptor_limit(1'000'000) == 100 ? 0 : 5;
  });
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace abuzz::link::test
