#include "bus/link/loop_network.hpp"

#include <thread>

#include "bus/base/random.hpp"
#include "tests/link/link_bench.hpp"

// What the loop does besides: time, loss, cuts, and the same again for the same seed.

namespace abuzz::link::test {
namespace {

using base::millisecond;

class LoopNetworkTest : public testing::Test {
 protected:
  LoopNetworkTest() : pool_(roomy_classes(), memory_) {}

  Frame frame(std::uint32_t number) {
    mem::Buffer buffer = pool_.try_acquire(sizeof(number));
    while (!buffer) {
      pool_.maintain(clock_.now());
      buffer = pool_.try_acquire(sizeof(number));
    }
    std::memcpy(buffer.data(), &number, sizeof(number));
    Frame frame;
    frame.add(std::move(buffer));
    return frame;
  }
  static std::uint32_t number_of(const Frame& frame) {
    std::uint32_t number = 0;
    std::memcpy(&number, frame.parts[0].data(), sizeof(number));
    return number;
  }

  mem::ProcessMemory memory_;
  mem::Pool pool_;
  base::ManualClock clock_;
};

TEST_F(LoopNetworkTest, FramesKeepTheirBuffers) {
  LoopNetwork network(clock_, 1);
  const auto hub = network.bind("a").value();
  EXPECT_EQ(hub->endpoint(), "loop://a");
  hub->admit(1, make_secret(1));
  const auto link = network.connect("loop://a", make_secret(1)).value();
  Frame frame = this->frame(7);
  const std::byte* data = frame.parts[0].data();
  ASSERT_EQ(link->try_send(frame), SendStatus::sent);
  PeerId peer = 0;
  ASSERT_EQ(hub->try_receive(peer, frame), ReceiveStatus::attached);
  ASSERT_EQ(hub->try_receive(peer, frame), ReceiveStatus::received);
  EXPECT_EQ(frame.parts[0].data(), data);
}

TEST_F(LoopNetworkTest, NothingIsSeenBeforeItsTimeAndTheNextEventSaysWhen) {
  LoopNetwork network(clock_, 1);
  const auto hub = network.bind("a").value();
  const auto listener = network.listen().value();
  hub->admit(1, make_secret(1));
  EXPECT_LT(network.next_event(), 0);
  network.set_faults({.delay_min = 5 * millisecond, .delay_max = 5 * millisecond});
  const base::Nanos due = clock_.now() + 5 * millisecond;
  const auto link = network.connect("loop://a", make_secret(1)).value();
  EXPECT_EQ(network.next_event(), due);
  PeerId peer = 0;
  Frame frame;
  EXPECT_EQ(hub->try_receive(peer, frame), ReceiveStatus::empty);
  EXPECT_FALSE(hub->has_input());
  clock_.advance(5 * millisecond);
  EXPECT_TRUE(hub->has_input());
  EXPECT_EQ(hub->try_receive(peer, frame), ReceiveStatus::attached);
  EXPECT_LT(network.next_event(), 0);

  const auto call = network.call().value();
  const std::byte hello[1]{};
  ASSERT_EQ(call->try_send(hello), DoorCall::Status::done);
  EXPECT_EQ(network.next_event(), clock_.now() + 5 * millisecond);
  Caller caller;
  std::vector<std::byte> datagram;
  EXPECT_EQ(listener->try_next(caller, datagram), DoorListener::Event::none);
  clock_.advance(5 * millisecond);
  EXPECT_EQ(listener->try_next(caller, datagram), DoorListener::Event::datagram);
}

TEST_F(LoopNetworkTest, DelaysKeepTheOrderOfALink) {
  LoopNetwork network(clock_, 3);
  const auto hub = network.bind("a").value();
  hub->admit(1, make_secret(1));
  network.set_faults({.delay_min = 0, .delay_max = 20 * millisecond});
  const auto link = network.connect("loop://a", make_secret(1)).value();
  for (std::uint32_t number = 0; number < 100; ++number) {
    Frame frame = this->frame(number);
    ASSERT_EQ(link->try_send(frame), SendStatus::sent);
    clock_.advance(millisecond / 2);
  }
  PeerId peer = 0;
  Frame received;
  std::uint32_t expected = 0;
  bool is_attached = false;
  for (int step = 0; step < 1000 && expected < 100; ++step) {
    const ReceiveStatus status = hub->try_receive(peer, received);
    if (status == ReceiveStatus::attached) {
      is_attached = true;
    } else if (status == ReceiveStatus::received) {
      EXPECT_TRUE(is_attached);
      ASSERT_EQ(number_of(received), expected++);
    } else {
      const base::Nanos next = network.next_event();
      ASSERT_GT(next, clock_.now());
      clock_.advance(next - clock_.now());
    }
  }
  EXPECT_EQ(expected, 100u);
}

TEST_F(LoopNetworkTest, TheSameSeedLosesAndDelaysTheSame) {
  const auto run = [this](std::uint64_t seed) {
    base::ManualClock clock;
    LoopNetwork network(clock, seed);
    const auto hub = network.bind("a").value();
    hub->admit(1, make_secret(1));
    network.set_faults({.delay_max = 9 * millisecond, .lose_one_in = 4});
    const auto link = network.connect("loop://a", make_secret(1)).value();
    for (std::uint32_t number = 0; number < 200; ++number) {
      Frame frame = this->frame(number);
      EXPECT_EQ(link->try_send(frame), SendStatus::sent);
    }
    std::vector<std::pair<base::Nanos, std::uint32_t>> seen;
    PeerId peer = 0;
    Frame frame;
    for (int step = 0; step < 100; ++step) {
      ReceiveStatus status = ReceiveStatus::empty;
      while ((status = hub->try_receive(peer, frame)) != ReceiveStatus::empty) {
        const bool is_frame = status == ReceiveStatus::received;
        seen.emplace_back(clock.now(), is_frame ? number_of(frame) : ~0u);
      }
      clock.advance(millisecond / 10);
    }
    return seen;
  };
  const auto first = run(42);
  EXPECT_EQ(first, run(42));
  EXPECT_NE(first, run(43));
  EXPECT_LT(first.size(), 180u);
  EXPECT_GT(first.size(), 120u);
}

TEST_F(LoopNetworkTest, ACutLosesWhatIsOnItsWayAndBothEndsSeeIt) {
  LoopNetwork network(clock_, 1);
  const auto hub = network.bind("a").value();
  const auto listener = network.listen().value();
  const auto call = network.call().value();
  hub->admit(1, make_secret(1));
  const auto link = network.connect("loop://a", make_secret(1)).value();
  PeerId peer = 0;
  Frame frame;
  ASSERT_EQ(hub->try_receive(peer, frame), ReceiveStatus::attached);
  frame = this->frame(1);
  ASSERT_EQ(link->try_send(frame), SendStatus::sent);
  network.cut_links();
  EXPECT_EQ(hub->try_receive(peer, frame), ReceiveStatus::empty);
  EXPECT_EQ(link->try_receive(frame), ReceiveStatus::closed);
  frame = this->frame(2);
  EXPECT_EQ(link->try_send(frame), SendStatus::closed);
  EXPECT_EQ(hub->try_send(1, frame), SendStatus::closed);
  EXPECT_EQ(frame.part_count, 1u);
  // The door is not a link.
  std::vector<std::byte> datagram;
  EXPECT_EQ(call->try_receive(datagram), DoorCall::Status::empty);
  // A new link works, with a new secret.
  hub->admit(1, make_secret(2));
  const auto again = network.connect("loop://a", make_secret(2)).value();
  EXPECT_EQ(hub->try_receive(peer, frame), ReceiveStatus::attached);
  frame = this->frame(3);
  EXPECT_EQ(hub->try_send(1, frame), SendStatus::sent);
  EXPECT_EQ(again->try_receive(frame), ReceiveStatus::received);
}

TEST_F(LoopNetworkTest, WhatWasSaidBeforeTheEndIsHeard) {
  LoopNetwork network(clock_, 1);
  auto hub = network.bind("a").value();
  hub->admit(1, make_secret(1));
  hub->admit(2, make_secret(2));
  auto first = network.connect("loop://a", make_secret(1)).value();
  const auto second = network.connect("loop://a", make_secret(2)).value();
  Frame frame = this->frame(5);
  ASSERT_EQ(first->try_send(frame), SendStatus::sent);
  first.reset();
  PeerId peer = 0;
  int attached = 0;
  ReceiveStatus status = ReceiveStatus::empty;
  while ((status = hub->try_receive(peer, frame)) == ReceiveStatus::attached) ++attached;
  EXPECT_EQ(status, ReceiveStatus::received);
  EXPECT_EQ(peer, 1u);
  EXPECT_EQ(attached, 2);
  frame = this->frame(6);
  ASSERT_EQ(hub->try_send(2, frame), SendStatus::sent);
  hub.reset();
  EXPECT_EQ(second->try_receive(frame), ReceiveStatus::received);
  EXPECT_EQ(second->try_receive(frame), ReceiveStatus::closed);
}

TEST_F(LoopNetworkTest, OneListenerAndOneHubOfAName) {
  LoopNetwork network(clock_, 1);
  auto listener = network.listen().value();
  EXPECT_FALSE(network.listen().ok());
  listener.reset();
  EXPECT_TRUE(network.listen().ok());
  auto hub = network.bind("a").value();
  EXPECT_FALSE(network.bind("a").ok());
  hub.reset();
  EXPECT_TRUE(network.bind("a").ok());
  // Where nobody is, a link is closed from the start.
  const auto link = network.connect("loop://nobody", make_secret(1)).value();
  Frame frame;
  EXPECT_EQ(link->try_receive(frame), ReceiveStatus::closed);
  EXPECT_FALSE(network.connect("tcp://127.0.0.1:1", make_secret(1)).ok());
}

TEST_F(LoopNetworkTest, LockedItServesThreads) {
  constexpr std::uint32_t count = 20'000;
  base::SystemClock clock;
  LoopNetwork network(clock, 1, true);
  const auto hub = network.bind("a").value();
  hub->admit(1, make_secret(1));
  hub->admit(2, make_secret(2));
  const auto send = [&](std::uint8_t peer) {
    const auto link = network.connect("loop://a", make_secret(peer)).value();
    for (std::uint32_t number = 0; number < count;) {
      Frame frame;
      frame.add(pool_.try_acquire(sizeof(number)));
      if (!frame.parts[0]) continue;
      std::memcpy(frame.parts[0].data(), &number, sizeof(number));
      if (link->try_send(frame) == SendStatus::sent) ++number;
    }
  };
  std::thread first(send, std::uint8_t{1});
  std::thread second(send, std::uint8_t{2});
  std::array<std::uint32_t, 3> next{};
  Frame frame;
  PeerId peer = 0;
  while (next[1] < count || next[2] < count) {
    pool_.maintain(clock.now());
    if (hub->try_receive(peer, frame) != ReceiveStatus::received) continue;
    ASSERT_EQ(number_of(frame), next[peer]++);
  }
  first.join();
  second.join();
}

}  // namespace
}  // namespace abuzz::link::test
