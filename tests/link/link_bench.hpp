#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "bus/link/loop_network.hpp"
#include "bus/link/zmq_link.hpp"
#include "bus/mem/pool.hpp"
#include "tests/scratch.hpp"

// What the link tests share: a pool, the three ways to link over it, and waiting without sleeping.

namespace abuzz::link::test {

inline constexpr std::size_t part_bytes_max = (1024 + 64) * 1024;
inline constexpr std::chrono::seconds patience{10};

using TemporaryDirectory = ScratchDirectory;

inline std::vector<mem::SizeClass> roomy_classes() {
  return {{256, 64, 16384}, {4096, 64, 16384}, {65536, 16, 1024}, {part_bytes_max, 8, 64}};
}

enum class Kind { loop, ipc, tcp };

// The label zmq goes by the name of a test.
inline std::string kind_name(const testing::TestParamInfo<Kind>& info) {
  switch (info.param) {
    case Kind::loop:
      return "loop";
    case Kind::ipc:
      return "zmq_ipc";
    case Kind::tcp:
      return "zmq_tcp";
  }
  return "";
}

// Everything under the ends of a link, in the order in which it has to end.
class LinkBench {
 public:
  explicit LinkBench(Kind kind, std::vector<mem::SizeClass> classes = roomy_classes(),
                     std::uint32_t adopted_max = 4096)
      : kind_(kind), pool_(std::make_unique<mem::Pool>(classes, memory_, adopted_max)) {
    if (kind == Kind::loop) {
      loop_ = std::make_unique<LoopNetwork>(clock_, 1);
    } else {
      context_ = ZmqContext::open().value();
    }
  }
  ~LinkBench() {
    loop_.reset();
    context_.reset();
    // libzmq has given back what it held when the context is gone.
    EXPECT_EQ(pool_->counters().bytes_out, 0u);
  }

  Kind kind() const { return kind_; }
  mem::Pool& pool() { return *pool_; }
  ZmqContext& context() { return *context_; }
  LoopNetwork& loop() { return *loop_; }

  std::unique_ptr<Hub> bind() {
    const std::string number = std::to_string(++bound_);
    if (kind_ == Kind::loop) return loop_->bind("hub-" + number).value();
    const std::string endpoint = kind_ == Kind::tcp
                                     ? std::string("tcp://127.0.0.1:*")
                                     : "ipc://" + directory_.path() + "/hub-" + number;
    return bind_zmq_hub(*context_, *pool_, endpoint, part_bytes_max).value();
  }
  std::unique_ptr<Link> connect(const std::string& endpoint, const Secret& secret) {
    if (kind_ == Kind::loop) return loop_->connect(endpoint, secret).value();
    return connect_zmq_link(*context_, *pool_, endpoint, secret, part_bytes_max, 0).value();
  }

  // A buffer, for which the pool grows if it has to.
  mem::Buffer buffer(std::size_t bytes, std::uint8_t seed = 0) {
    mem::Buffer buffer = pool_->try_acquire(bytes);
    while (!buffer) {
      pool_->maintain(clock_.now());
      buffer = pool_->try_acquire(bytes);
    }
    for (std::size_t index = 0; index < bytes; ++index) {
      buffer.data()[index] = static_cast<std::byte>(index * 31 + seed);
    }
    return buffer;
  }
  Frame frame(const std::vector<std::size_t>& sizes, std::uint8_t seed = 0) {
    Frame frame;
    for (const std::size_t bytes : sizes) frame.add(buffer(bytes, seed++));
    return frame;
  }
  void maintain() { pool_->maintain(clock_.now()); }

 private:
  const Kind kind_;
  TemporaryDirectory directory_;
  base::ManualClock clock_;
  mem::ProcessMemory memory_;
  std::unique_ptr<mem::Pool> pool_;
  std::unique_ptr<LoopNetwork> loop_;
  std::unique_ptr<ZmqContext> context_;
  int bound_ = 0;
};

inline Secret make_secret(std::uint8_t fill) {
  Secret secret;
  secret.fill(static_cast<std::byte>(fill));
  return secret;
}

inline bool holds_pattern(const mem::Buffer& buffer, std::size_t bytes, std::uint8_t seed) {
  if (buffer.bytes() != bytes) return false;
  for (std::size_t index = 0; index < bytes; ++index) {
    if (buffer.data()[index] != static_cast<std::byte>(index * 31 + seed)) return false;
  }
  return true;
}

inline bool is_over(std::chrono::steady_clock::time_point deadline) {
  return std::chrono::steady_clock::now() >= deadline;
}

// Sleeps on the descriptor of an end as its owner would, where the end says that nothing is there.
template <class End>
void wait_for_input(End& end) {
  if (end.has_input() || end.wait_descriptor() < 0) return;
  pollfd descriptor{end.wait_descriptor(), POLLIN, 0};
  ::poll(&descriptor, 1, 100);
}

inline ReceiveStatus await(Link& link, Frame& frame, std::chrono::milliseconds limit = patience) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const ReceiveStatus status = link.try_receive(frame);
    if (status != ReceiveStatus::empty || is_over(deadline)) return status;
    wait_for_input(link);
  }
}

inline ReceiveStatus await(Hub& hub, PeerId& peer, Frame& frame,
                           std::chrono::milliseconds limit = patience) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const ReceiveStatus status = hub.try_receive(peer, frame);
    if (status != ReceiveStatus::empty || is_over(deadline)) return status;
    wait_for_input(hub);
  }
}

// Runs the hub until its counter of strangers has reached `count`.
inline bool await_strangers(Hub& hub, std::uint64_t count) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  PeerId peer = 0;
  Frame frame;
  while (hub.counters().strangers < count && !is_over(deadline)) {
    if (hub.try_receive(peer, frame) != ReceiveStatus::empty) return false;
    if (hub.counters().strangers < count) wait_for_input(hub);
  }
  return hub.counters().strangers >= count;
}

// A link whose secret the hub has seen.
inline std::unique_ptr<Link> attach(LinkBench& bench, Hub& hub, PeerId peer) {
  const Secret secret = make_secret(static_cast<std::uint8_t>(peer));
  hub.admit(peer, secret);
  auto link = bench.connect(hub.endpoint(), secret);
  PeerId attached = 0;
  Frame frame;
  EXPECT_EQ(await(hub, attached, frame), ReceiveStatus::attached);
  EXPECT_EQ(attached, peer);
  EXPECT_EQ(frame.part_count, 0u);
  return link;
}

}  // namespace abuzz::link::test
