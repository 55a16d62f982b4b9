#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <zmq.h>

#include <cstdio>
#include <cstdlib>

#include "bus/base/random.hpp"
#include "tests/link/link_bench.hpp"

// What peers without manners, and a pool without room, do to a ZeroMQ hub.

namespace abuzz::link::test {
namespace {

std::uint64_t test_seed() {
  const char* given = std::getenv("ABUZZ_TEST_SEED");
  std::uint64_t seed = 0;
  if (given != nullptr) {
    seed = std::strtoull(given, nullptr, 10);
  } else {
    base::fill_secret(&seed, sizeof(seed));
  }
  std::printf("ABUZZ_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

// A peer that speaks ZeroMQ without our manners. Blocks where it has to wait.
class RawDealer {
 public:
  explicit RawDealer(const std::string& endpoint, std::string_view routing_id = {}) {
    context_ = zmq_ctx_new();
    socket_ = zmq_socket(context_, ZMQ_DEALER);
    const int linger = 0;
    zmq_setsockopt(socket_, ZMQ_LINGER, &linger, sizeof(linger));
    if (!routing_id.empty()) {
      zmq_setsockopt(socket_, ZMQ_ROUTING_ID, routing_id.data(), routing_id.size());
    }
    zmq_connect(socket_, endpoint.c_str());
  }
  ~RawDealer() {
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }
  RawDealer(const RawDealer&) = delete;
  RawDealer& operator=(const RawDealer&) = delete;

  void send(std::size_t bytes, bool more = false) {
    const std::vector<char> zeros(bytes);
    zmq_send(socket_, zeros.data(), bytes, more ? ZMQ_SNDMORE : 0);
  }
  void send(const Secret& secret) { zmq_send(socket_, secret.data(), secret.size(), 0); }
  void send_parts(std::size_t count, std::size_t bytes) {
    for (std::size_t index = 0; index < count; ++index) send(bytes, index + 1 < count);
  }

 private:
  void* context_;
  void* socket_;
};

class ZmqPeers : public testing::TestWithParam<Kind> {
 protected:
  // Shows that the hub still takes in and serves whoever is right.
  void expect_service(Hub& hub, PeerId peer) {
    const auto link = attach(bench_, hub, peer);
    Frame frame = bench_.frame({5, 9000});
    ASSERT_EQ(link->try_send(frame), SendStatus::sent);
    PeerId sender = 0;
    ASSERT_EQ(await(hub, sender, frame), ReceiveStatus::received);
    EXPECT_EQ(sender, peer);
  }

  LinkBench bench_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(All, ZmqPeers, testing::Values(Kind::ipc, Kind::tcp), kind_name);

TEST_P(ZmqPeers, AFrameOfEighteenPartsIsRefusedAndTheNextOneIsFine) {
  const auto hub = bench_.bind();
  hub->admit(1, make_secret(1));
  RawDealer dealer(hub->endpoint());
  dealer.send(make_secret(1));
  dealer.send_parts(18, 9000);
  dealer.send_parts(200, 100);
  dealer.send_parts(17, 100);
  PeerId peer = 0;
  Frame frame;
  ASSERT_EQ(await(*hub, peer, frame), ReceiveStatus::attached);
  ASSERT_EQ(await(*hub, peer, frame), ReceiveStatus::received);
  EXPECT_EQ(frame.part_count, 17u);
  EXPECT_EQ(hub->counters().parts_refused, 2u);
  EXPECT_EQ(hub->counters().strangers, 0u);
}

TEST_P(ZmqPeers, StrangersWithManyPartsAreDrained) {
  const auto hub = bench_.bind();
  RawDealer dealer(hub->endpoint());
  dealer.send_parts(300, 10);
  dealer.send_parts(1, 16);
  dealer.send_parts(2, 16);
  EXPECT_TRUE(await_strangers(*hub, 3));
  EXPECT_EQ(hub->counters().parts_refused, 0u);
  expect_service(*hub, 1);
}

TEST_P(ZmqPeers, APeerThatNamesItselfIsAStrangerEvenWithASecret) {
  const auto hub = bench_.bind();
  hub->admit(1, make_secret(1));
  RawDealer longer(hub->endpoint(), "a name of its own");
  longer.send(make_secret(1));
  RawDealer shorter(hub->endpoint(), "abc");
  shorter.send(make_secret(1));
  EXPECT_TRUE(await_strangers(*hub, 2));
  expect_service(*hub, 2);
}

TEST_P(ZmqPeers, APartOverTheLimitEndsItsConnectionOnly) {
  const auto hub = bench_.bind();
  const auto link = attach(bench_, *hub, 1);
  hub->admit(2, make_secret(2));
  RawDealer dealer(hub->endpoint());
  dealer.send(make_secret(2));
  PeerId peer = 0;
  Frame frame;
  ASSERT_EQ(await(*hub, peer, frame), ReceiveStatus::attached);
  dealer.send(part_bytes_max + 1);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  SendStatus status = SendStatus::sent;
  while (status != SendStatus::closed && !is_over(deadline)) {
    EXPECT_EQ(hub->try_receive(peer, frame), ReceiveStatus::empty);
    frame = bench_.frame({10});
    status = hub->try_send(2, frame);
  }
  EXPECT_EQ(status, SendStatus::closed);
  frame = bench_.frame({10});
  EXPECT_EQ(hub->try_send(1, frame), SendStatus::sent);
  EXPECT_EQ(await(*link, frame), ReceiveStatus::received);
}

TEST_P(ZmqPeers, PeersThatVanishInTheMiddleOfSendsHurtNobody) {
  const auto hub = bench_.bind();
  const auto steady = attach(bench_, *hub, 1);
  const std::vector<std::size_t> sizes(frame_parts_max, 9000);
  for (PeerId vanishing = 2; vanishing < 60; ++vanishing) {
    auto link = attach(bench_, *hub, vanishing);
    SendStatus status = SendStatus::sent;
    for (int count = 0; count < 60 && status != SendStatus::closed; ++count) {
      if (count == 10) link.reset();
      Frame frame = bench_.frame(sizes);
      status = hub->try_send(vanishing, frame);
      PeerId peer = 0;
      hub->try_receive(peer, frame);
    }
    hub->expel(vanishing);
  }
  Frame frame = bench_.frame(sizes);
  ASSERT_EQ(hub->try_send(1, frame), SendStatus::sent);
  ASSERT_EQ(await(*steady, frame), ReceiveStatus::received);
  EXPECT_EQ(frame.part_count, frame_parts_max);
}

int open_raw(const std::string& endpoint) {
  if (endpoint.starts_with("ipc://")) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, endpoint.c_str() + 6);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return socket;
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int port = std::atoi(endpoint.substr(endpoint.rfind(':') + 1).c_str());
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return socket;
}

TEST_P(ZmqPeers, HttpAndNoiseDoNotHurtTheHub) {
  base::Random random(test_seed());
  const auto hub = bench_.bind();
  const auto throw_at_hub = [&](std::string_view bytes) {
    const int socket = open_raw(hub->endpoint());
    ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ::close(socket);
    PeerId peer = 0;
    Frame frame;
    EXPECT_EQ(hub->try_receive(peer, frame), ReceiveStatus::empty);
  };
  throw_at_hub("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  throw_at_hub("");
  // The greeting of ZMTP 3, then noise, so that the noise gets past the front gate.
  std::string greeting("\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL", 16);
  greeting.resize(64);
  for (int round = 0; round < 400; ++round) {
    std::string noise = round % 2 == 0 ? greeting : std::string();
    const std::size_t bytes = 1 + random.below(3000);
    for (std::size_t index = 0; index < bytes; ++index) {
      noise.push_back(static_cast<char>(random.next()));
    }
    throw_at_hub(noise);
  }
  expect_service(*hub, 1);
}

TEST_P(ZmqPeers, FramesWaitForThePoolAndAreNotLost) {
  // Room for a dozen small parts and two large ones, and two heads for adoption.
  const std::vector<mem::SizeClass> classes{{256, 12, 12}, {16384, 2, 2}};
  LinkBench tight(GetParam(), classes, 2);
  const auto hub = tight.bind();
  hub->admit(1, make_secret(1));
  RawDealer dealer(hub->endpoint());
  dealer.send(make_secret(1));
  constexpr int frames = 50;
  for (int count = 0; count < frames; ++count) {
    dealer.send(10, true);
    dealer.send(9000, true);
    dealer.send(11);
  }
  PeerId peer = 0;
  Frame frame;
  ASSERT_EQ(await(*hub, peer, frame), ReceiveStatus::attached);
  std::vector<Frame> held;
  int received = 0;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (received < frames && !is_over(deadline)) {
    const ReceiveStatus status = hub->try_receive(peer, frame);
    if (status == ReceiveStatus::received) {
      ++received;
      ASSERT_EQ(frame.part_count, 3u);
      EXPECT_EQ(frame.parts[1].bytes(), 9000u);
      EXPECT_EQ(frame.parts[2].bytes(), 11u);
      held.push_back(std::move(frame));
    } else if (!held.empty() && hub->has_input()) {
      held.clear();  // what was missing is there again
    }
  }
  EXPECT_EQ(received, frames);
  EXPECT_GT(tight.pool().counters().misses, 0u);
  frame.clear();
  held.clear();
}

TEST_P(ZmqPeers, AnExpelledPeersWaitingFrameIsDropped) {
  const std::vector<mem::SizeClass> classes{{256, 1, 1}};
  LinkBench tight(GetParam(), classes, 2);
  const auto hub = tight.bind();
  hub->admit(1, make_secret(1));
  RawDealer dealer(hub->endpoint());
  dealer.send(make_secret(1));
  dealer.send_parts(2, 100);
  PeerId peer = 0;
  Frame frame;
  ASSERT_EQ(await(*hub, peer, frame), ReceiveStatus::attached);
  // The first part is converted, for the second there is no block.
  while (tight.pool().counters().misses == 0) {
    ASSERT_EQ(hub->try_receive(peer, frame), ReceiveStatus::empty);
    wait_for_input(*hub);
  }
  EXPECT_TRUE(hub->has_input());
  hub->expel(1);
  EXPECT_EQ(hub->counters().strangers, 1u);
  EXPECT_EQ(hub->try_receive(peer, frame), ReceiveStatus::empty);
  EXPECT_FALSE(hub->has_input());
}

TEST_P(ZmqPeers, ALinkLetsItsLastFramesGoWithinItsLinger) {
  const auto hub = bench_.bind();
  hub->admit(1, make_secret(1));
  auto link = connect_zmq_link(bench_.context(), bench_.pool(), hub->endpoint(), make_secret(1),
                               part_bytes_max, 5000)
                  .value();
  for (int count = 0; count < 100; ++count) {
    Frame frame = bench_.frame({10, 20000});
    ASSERT_EQ(link->try_send(frame), SendStatus::sent);
  }
  link.reset();
  PeerId peer = 0;
  Frame frame;
  ASSERT_EQ(await(*hub, peer, frame), ReceiveStatus::attached);
  for (int count = 0; count < 100; ++count) {
    ASSERT_EQ(await(*hub, peer, frame), ReceiveStatus::received) << count;
  }
}

}  // namespace
}  // namespace abuzz::link::test
