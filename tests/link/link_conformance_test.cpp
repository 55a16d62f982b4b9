#include <numeric>

#include "tests/link/link_bench.hpp"

// What every implementation of Link and Hub does.

namespace abuzz::link::test {
namespace {

class LinkConformance : public testing::TestWithParam<Kind> {
 protected:
  LinkBench bench_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(All, LinkConformance, testing::Values(Kind::loop, Kind::ipc, Kind::tcp),
                         kind_name);

TEST_P(LinkConformance, ASecretAttachesItsPeer) {
  const auto hub = bench_.bind();
  const auto first = attach(bench_, *hub, 1);
  const auto second = attach(bench_, *hub, 2);
  EXPECT_EQ(hub->counters().strangers, 0u);
}

TEST_P(LinkConformance, HundredsMayConnectAtOnce) {
  constexpr PeerId peers = 250;
  const auto hub = bench_.bind();
  std::vector<std::unique_ptr<Link>> links;
  for (PeerId peer = 1; peer <= peers; ++peer) {
    hub->admit(peer, make_secret(static_cast<std::uint8_t>(peer)));
  }
  for (PeerId peer = 1; peer <= peers; ++peer) {
    links.push_back(bench_.connect(hub->endpoint(), make_secret(static_cast<std::uint8_t>(peer))));
    Frame frame = bench_.frame({peer});
    ASSERT_EQ(links.back()->try_send(frame), SendStatus::sent);
  }
  std::vector<int> seen(peers + 1);
  PeerId peer = 0;
  Frame frame;
  for (PeerId count = 0; count < 2 * peers; ++count) {
    const ReceiveStatus status = await(*hub, peer, frame);
    ASSERT_EQ(status, seen[peer] == 0 ? ReceiveStatus::attached : ReceiveStatus::received);
    ++seen[peer];
    if (status == ReceiveStatus::received) {
      EXPECT_EQ(frame.parts[0].bytes(), peer);
    }
  }
  for (PeerId sender = 1; sender <= peers; ++sender) EXPECT_EQ(seen[sender], 2) << sender;
}

TEST_P(LinkConformance, PartsAndBytesArePreservedBothWays) {
  const auto hub = bench_.bind();
  const auto link = attach(bench_, *hub, 7);
  for (const std::size_t bytes : {0, 1, 33, 34, 8191, 8192, 65536, 1024 * 1024}) {
    SCOPED_TRACE(bytes);
    Frame frame = bench_.frame({bytes, 5, bytes}, 3);
    ASSERT_EQ(link->try_send(frame), SendStatus::sent);
    EXPECT_EQ(frame.part_count, 0u);
    PeerId peer = 0;
    ASSERT_EQ(await(*hub, peer, frame), ReceiveStatus::received);
    EXPECT_EQ(peer, 7u);
    ASSERT_EQ(frame.part_count, 3u);
    EXPECT_TRUE(holds_pattern(frame.parts[0], bytes, 3));
    EXPECT_TRUE(holds_pattern(frame.parts[1], 5, 4));
    EXPECT_TRUE(holds_pattern(frame.parts[2], bytes, 5));

    ASSERT_EQ(hub->try_send(7, frame), SendStatus::sent);
    EXPECT_EQ(frame.part_count, 0u);
    ASSERT_EQ(await(*link, frame), ReceiveStatus::received);
    ASSERT_EQ(frame.part_count, 3u);
    EXPECT_TRUE(holds_pattern(frame.parts[0], bytes, 3));
    EXPECT_TRUE(holds_pattern(frame.parts[2], bytes, 5));
  }
}

TEST_P(LinkConformance, ReceivedPartsAreAlignedForTheirReaders) {
  const auto hub = bench_.bind();
  const auto link = attach(bench_, *hub, 1);
  for (std::size_t bytes = 1; bytes < 20000; bytes = bytes * 3 / 2 + 7) {
    Frame frame = bench_.frame({bytes, bytes + 1});
    ASSERT_EQ(link->try_send(frame), SendStatus::sent);
    PeerId peer = 0;
    ASSERT_EQ(await(*hub, peer, frame), ReceiveStatus::received);
    for (std::size_t index = 0; index < frame.part_count; ++index) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(frame.parts[index].data()) % 8, 0u) << bytes;
    }
  }
}

TEST_P(LinkConformance, FramesStayInOrderThroughABacklogOfThousands) {
  constexpr std::uint32_t count = 3000;
  const auto hub = bench_.bind();
  const auto link = attach(bench_, *hub, 1);
  for (std::uint32_t number = 0; number < count; ++number) {
    Frame frame = bench_.frame({number % 50 == 0 ? std::size_t{9000} : std::size_t{64}});
    std::memcpy(frame.parts[0].data(), &number, sizeof(number));
    ASSERT_EQ(link->try_send(frame), SendStatus::sent) << number;
  }
  PeerId peer = 0;
  Frame frame;
  for (std::uint32_t expected = 0; expected < count; ++expected) {
    ASSERT_EQ(await(*hub, peer, frame), ReceiveStatus::received) << expected;
    std::uint32_t number = 0;
    std::memcpy(&number, frame.parts[0].data(), sizeof(number));
    ASSERT_EQ(number, expected);
  }
}

TEST_P(LinkConformance, AFullLinkRefusesTheFrameUnchangedAndLosesNothing) {
  const auto hub = bench_.bind();
  const auto link = attach(bench_, *hub, 1);
  std::uint32_t sent = 0;
  Frame frame;
  for (SendStatus status = SendStatus::sent; status == SendStatus::sent && sent < 1'000'000;) {
    frame = bench_.frame({16, 900});
    std::memcpy(frame.parts[0].data(), &sent, sizeof(sent));
    status = hub->try_send(1, frame);
    if (status == SendStatus::sent) {
      ++sent;
    } else {
      ASSERT_EQ(status, SendStatus::full);
    }
  }
  ASSERT_EQ(frame.part_count, 2u);
  EXPECT_EQ(frame.parts[1].bytes(), 900u);
  EXPECT_EQ(hub->counters().full, 1u);
  for (std::uint32_t expected = 0; expected < sent; ++expected) {
    ASSERT_EQ(await(*link, frame), ReceiveStatus::received) << expected << " of " << sent;
    std::uint32_t number = 0;
    std::memcpy(&number, frame.parts[0].data(), sizeof(number));
    ASSERT_EQ(number, expected);
    ASSERT_EQ(frame.part_count, 2u);
  }
}

TEST_P(LinkConformance, APartOverTheLimitIsRefusedByBothEnds) {
  const auto hub = bench_.bind();
  const auto link = attach(bench_, *hub, 1);
  const std::size_t limit = link->traits().part_bytes_max;
  EXPECT_EQ(hub->traits().part_bytes_max, limit);
  Frame largest = bench_.frame({limit});
  EXPECT_EQ(link->try_send(largest), SendStatus::sent);
  PeerId peer = 0;
  ASSERT_EQ(await(*hub, peer, largest), ReceiveStatus::received);
  EXPECT_TRUE(holds_pattern(largest.parts[0], limit, 0));

  // Pretends to be larger than its block; nobody looks at the bytes.
  mem::ProcessMemory memory;
  const std::array<mem::SizeClass, 1> classes{{{2 * part_bytes_max, 1, 1}}};
  mem::Pool pool(classes, memory);
  Frame frame;
  frame.add(pool.try_acquire(limit + 1));
  EXPECT_EQ(link->try_send(frame), SendStatus::too_large);
  EXPECT_EQ(hub->try_send(1, frame), SendStatus::too_large);
  EXPECT_EQ(frame.part_count, 1u);
  EXPECT_EQ(frame.parts[0].bytes(), limit + 1);
}

TEST_P(LinkConformance, SeventeenPartsPass) {
  const auto hub = bench_.bind();
  const auto link = attach(bench_, *hub, 1);
  std::vector<std::size_t> sizes(frame_parts_max);
  std::iota(sizes.begin(), sizes.end(), 8184);
  Frame frame = bench_.frame(sizes);
  ASSERT_EQ(link->try_send(frame), SendStatus::sent);
  PeerId peer = 0;
  ASSERT_EQ(await(*hub, peer, frame), ReceiveStatus::received);
  ASSERT_EQ(frame.part_count, frame_parts_max);
  for (std::size_t index = 0; index < frame.part_count; ++index) {
    EXPECT_TRUE(holds_pattern(frame.parts[index], sizes[index], static_cast<std::uint8_t>(index)));
  }
}

TEST_P(LinkConformance, AWrongSecretMakesAStrangerWhoseFramesAreCountedAndDropped) {
  const auto hub = bench_.bind();
  hub->admit(1, make_secret(1));
  const auto stranger = bench_.connect(hub->endpoint(), make_secret(99));
  Frame frame = bench_.frame({100, 10000, 3});
  ASSERT_EQ(stranger->try_send(frame), SendStatus::sent);
  EXPECT_TRUE(await_strangers(*hub, 2));  // the secret, and the frame
  EXPECT_EQ(hub->counters().strangers, 2u);
}

TEST_P(LinkConformance, ASecretIsGoodForOneConnection) {
  const auto hub = bench_.bind();
  const auto link = attach(bench_, *hub, 1);
  const auto second = bench_.connect(hub->endpoint(), make_secret(1));
  Frame frame = bench_.frame({10});
  ASSERT_EQ(second->try_send(frame), SendStatus::sent);
  EXPECT_TRUE(await_strangers(*hub, 2));
  frame = bench_.frame({20});
  ASSERT_EQ(link->try_send(frame), SendStatus::sent);
  PeerId peer = 0;
  ASSERT_EQ(await(*hub, peer, frame), ReceiveStatus::received);
  EXPECT_EQ(peer, 1u);
  EXPECT_EQ(frame.parts[0].bytes(), 20u);
}

TEST_P(LinkConformance, AnExpelledPeerIsAStrangerAndClosed) {
  const auto hub = bench_.bind();
  const auto link = attach(bench_, *hub, 1);
  const auto other = attach(bench_, *hub, 2);
  hub->expel(1);
  Frame frame = bench_.frame({10});
  EXPECT_EQ(hub->try_send(1, frame), SendStatus::closed);
  EXPECT_EQ(frame.part_count, 1u);
  ASSERT_EQ(link->try_send(frame), SendStatus::sent);
  EXPECT_TRUE(await_strangers(*hub, 1));
  frame = bench_.frame({10});
  EXPECT_EQ(hub->try_send(2, frame), SendStatus::sent);
  EXPECT_EQ(await(*other, frame), ReceiveStatus::received);
}

TEST_P(LinkConformance, APeerThatHasNotAttachedIsClosed) {
  const auto hub = bench_.bind();
  hub->admit(1, make_secret(1));
  Frame frame = bench_.frame({10});
  EXPECT_EQ(hub->try_send(1, frame), SendStatus::closed);
  EXPECT_EQ(hub->try_send(2, frame), SendStatus::closed);
  EXPECT_EQ(hub->counters().unreachable, 2u);
  hub->expel(1);
  const auto late = bench_.connect(hub->endpoint(), make_secret(1));
  EXPECT_TRUE(await_strangers(*hub, 1));
}

TEST_P(LinkConformance, APeerThatLeftIsClosed) {
  const auto hub = bench_.bind();
  auto link = attach(bench_, *hub, 1);
  link.reset();
  const auto deadline = std::chrono::steady_clock::now() + patience;
  SendStatus status = SendStatus::sent;
  // Until the end of the connection is known they are taken, or refused where they pile up. The hub
  // learns of it by receiving.
  while (status != SendStatus::closed && !is_over(deadline)) {
    PeerId peer = 0;
    Frame frame;
    EXPECT_EQ(hub->try_receive(peer, frame), ReceiveStatus::empty);
    frame = bench_.frame({10});
    status = hub->try_send(1, frame);
  }
  EXPECT_EQ(status, SendStatus::closed);
  EXPECT_GE(hub->counters().unreachable, 1u);
}

TEST_P(LinkConformance, TheEndOfTheHubReachesTheLink) {
  auto hub = bench_.bind();
  const auto link = attach(bench_, *hub, 1);
  hub.reset();
  Frame frame;
  EXPECT_EQ(await(*link, frame), ReceiveStatus::closed);
  frame = bench_.frame({10, 10000});
  EXPECT_EQ(link->try_send(frame), SendStatus::closed);
  EXPECT_EQ(frame.part_count, 2u);
}

TEST_P(LinkConformance, ReceivedBuffersOutliveBothEnds) {
  auto hub = bench_.bind();
  auto link = attach(bench_, *hub, 1);
  Frame frame = bench_.frame({20, 8192, 100000});
  ASSERT_EQ(link->try_send(frame), SendStatus::sent);
  PeerId peer = 0;
  ASSERT_EQ(await(*hub, peer, frame), ReceiveStatus::received);
  link.reset();
  hub.reset();
  EXPECT_TRUE(holds_pattern(frame.parts[0], 20, 0));
  EXPECT_TRUE(holds_pattern(frame.parts[1], 8192, 1));
  EXPECT_TRUE(holds_pattern(frame.parts[2], 100000, 2));
}

TEST_P(LinkConformance, WhatIsUnreadAtTheEndGoesBackToThePool) {
  auto hub = bench_.bind();
  const auto link = attach(bench_, *hub, 1);
  for (int count = 0; count < 100; ++count) {
    Frame frame = bench_.frame({20, 9000});
    ASSERT_EQ(link->try_send(frame), SendStatus::sent);
    frame = bench_.frame({20, 9000});
    ASSERT_EQ(hub->try_send(1, frame), SendStatus::sent);
  }
}

TEST_P(LinkConformance, TheDescriptorWakesWhoeverAskedForInputBefore) {
  const auto hub = bench_.bind();
  const auto link = attach(bench_, *hub, 1);
  if (hub->wait_descriptor() < 0) return;  // a link that nobody sleeps on promises nothing here
  PeerId peer = 0;
  Frame frame;
  for (int round = 0; round < 500; ++round) {
    frame = bench_.frame({std::size_t{1} + static_cast<std::size_t>(round) % 100});
    ASSERT_EQ(link->try_send(frame), SendStatus::sent);
    // Sleeps with a long limit: a missed edge would show as a poll that runs into it.
    ReceiveStatus status = ReceiveStatus::empty;
    while ((status = hub->try_receive(peer, frame)) == ReceiveStatus::empty) {
      if (hub->has_input()) continue;
      pollfd descriptor{hub->wait_descriptor(), POLLIN, 0};
      ASSERT_EQ(::poll(&descriptor, 1, 10000), 1) << round;
    }
    ASSERT_EQ(hub->try_send(1, frame), SendStatus::sent);
    // A send swallows the edge; has_input() is what tells.
    while ((status = link->try_receive(frame)) == ReceiveStatus::empty) {
      Frame noise = bench_.frame({1});
      if (round % 7 == 0) {
        ASSERT_EQ(link->try_send(noise), SendStatus::sent);
      }
      if (link->has_input()) continue;
      pollfd descriptor{link->wait_descriptor(), POLLIN, 0};
      ASSERT_EQ(::poll(&descriptor, 1, 10000), 1) << round;
    }
    while (round % 7 == 0 && hub->try_receive(peer, frame) == ReceiveStatus::received) {
    }
  }
}

}  // namespace
}  // namespace abuzz::link::test
