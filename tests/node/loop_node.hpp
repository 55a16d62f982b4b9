#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "bus/base/clock.hpp"
#include "bus/base/units.hpp"
#include "bus/link/loop_network.hpp"
#include "bus/mem/pool.hpp"
#include "bus/node/node_core.hpp"
#include "bus/wire/control.hpp"

namespace abuzz::node::test {

inline constexpr mem::SizeClass loop_classes[] = {
    {512, 64, 1024}, {64 * 1024, 16, 256}, {1280 * 1024, 2, 16}};

// What a visitor heard at the door last.
struct Heard {
  enum class Kind : std::uint8_t { nothing, welcome, refusal, hang_up };
  Kind kind = Kind::nothing;
  wire::DoorWelcome welcome;
  Error error = Error::internal;
  std::string text;
};

// A node without threads or files, stepped by the test, over a loop network.
class LoopNode {
 public:
  explicit LoopNode(const Config& config = {}, bool managed = false, std::uint64_t seed = 1)
      : config_(config),
        pool_(loop_classes, memory_),
        network_(clock_, seed),
        dice_(seed),
        host(seed) {
    identity_.node_id = 0x1122334455667788;
    for (std::size_t index = 0; index < identity_.key.size(); ++index) {
      identity_.key[index] = static_cast<std::byte>(index);
    }
    begin_life(managed);
  }
  ~LoopNode() { end_life(); }

  // As after kill -9: doors and links close, the next node has a higher epoch.
  void restart(bool managed = false) {
    end_life();
    begin_life(managed);
  }

  void step(int cycles = 8) {
    for (int cycle = 0; cycle < cycles; ++cycle) {
      if (hubs_.size() == 1)
        core_->do_work(clock_.now(), clock_.wall_now());
      else
        step_at_random();
    }
  }
  // In small strides, as a node that sleeps until its next deadline would see it.
  void pass(base::Nanos span) {
    constexpr base::Nanos stride = 100 * base::millisecond;
    for (; span > 0; span -= stride) {
      clock_.advance(std::min(span, stride));
      step(3);
    }
  }

  std::unique_ptr<link::DoorCall> call() { return network_.call().value(); }
  bool is_door_open() { return network_.call().ok(); }
  std::unique_ptr<link::DoorCall> greet(const wire::DoorHello& hello) {
    auto visit = call();
    visit->try_send(wire::write_door(hello));
    step();
    return visit;
  }
  static Heard hear(link::DoorCall& visit) {
    Heard heard;
    std::vector<std::byte> datagram;
    const auto status = visit.try_receive(datagram);
    if (status == link::DoorCall::Status::closed) heard.kind = Heard::Kind::hang_up;
    if (status != link::DoorCall::Status::done) return heard;
    wire::DoorRefusal refusal;
    if (wire::read_door(datagram, heard.welcome) == wire::Reject::none) {
      heard.kind = Heard::Kind::welcome;
    } else if (wire::read_door(datagram, refusal) == wire::Reject::none) {
      heard.kind = Heard::Kind::refusal;
      heard.error = static_cast<Error>(refusal.error);
      heard.text = refusal.text;
    }
    return heard;
  }
  static bool is_hung_up(link::DoorCall& visit) { return hear(visit).kind == Heard::Kind::hang_up; }
  std::unique_ptr<link::Link> attach(const wire::DoorWelcome& welcome) {
    link::Secret secret{};
    std::memcpy(secret.data(), welcome.secret.data(), secret.size());
    auto link = network_.connect(welcome.endpoint, secret).value();
    step();
    return link;
  }

  std::uint64_t count(ProcessCounter counter) { return core_->stats().process().get(counter); }
  std::size_t agent_rows() {
    std::size_t rows = 0;
    for (const RowSnapshot& row : core_->stats().snapshot().rows) {
      rows += row.kind == RowKind::agent ? 1 : 0;
    }
    return rows;
  }
  PeerState agent_state(const std::string& name) {
    for (const RowSnapshot& row : core_->stats().snapshot().rows) {
      if (row.kind == RowKind::agent && row.text == name) {
        return static_cast<PeerState>(row.get(AgentCounter::state));
      }
    }
    return PeerState::none;
  }

  NodeCore& core() { return *core_; }
  Reception& reception() { return core_->reception(); }
  base::ManualClock& clock() { return clock_; }
  mem::Pool& pool() { return pool_; }
  link::LoopNetwork& network() { return network_; }
  const NodeIdentity& identity() const { return identity_; }

 private:
  // As threads would: in any order, and now and then one is late.
  void step_at_random() {
    core_->reception().do_work(clock_.now());
    std::vector<std::uint32_t> order(hubs_.size());
    std::iota(order.begin(), order.end(), 0u);
    for (std::size_t left = order.size(); left > 1; --left)
      std::swap(order[left - 1], order[dice_.below(left)]);
    for (const std::uint32_t shard : order)
      if (dice_.below(8) != 0) core_->shard(shard).do_work(clock_.now(), clock_.wall_now());
    core_->tend(clock_.now());
  }
  void begin_life(bool managed) {
    ++identity_.node_epoch;
    std::vector<NodeCore::Parts::Place> places;
    for (std::uint32_t shard = 0; shard < std::max(config_.place.shards, 1u); ++shard) {
      const std::string name =
          "shard-" + std::to_string(identity_.node_epoch) + "-" + std::to_string(shard);
      hubs_.push_back(network_.bind(name).value());
      places.push_back({hubs_.back().get()});
    }
    door_ = network_.listen().value();
    auto stats = StatsFile::create("", {identity_.node_id, identity_.node_epoch, 0}, 16'384);
    core_ = std::make_unique<NodeCore>(
        NodeCore::Parts{
            config_, identity_, *door_, std::move(places), pool_, host, std::move(stats).value(),
            managed, [this](std::string_view line) { log.emplace_back(line); }, std::move(owed_)},
        clock_.now());
  }
  void end_life() {
    owed_ = delivery::read_owed(core_->stats().snapshot());
    core_.reset();
    door_.reset();
    hubs_.clear();
  }

  const Config config_;
  base::ManualClock clock_;
  mem::ProcessMemory memory_;
  mem::Pool pool_;
  link::LoopNetwork network_;
  base::Random dice_;
  NodeIdentity identity_;
  std::vector<delivery::Owed> owed_;              // by the node that ended
  std::vector<std::unique_ptr<link::Hub>> hubs_;  // one a shard
  std::unique_ptr<link::DoorListener> door_;

 public:
  LoopHost host;
  std::vector<std::string> log;

 private:
  std::unique_ptr<NodeCore> core_;
};

inline wire::DoorHello hello_of(const std::string& name) {
  wire::DoorHello hello;
  hello.name = name;
  hello.kind = "test";
  hello.pid = 4242;
  hello.start_ticks = 99;
  hello.session_epoch = 1;
  return hello;
}

// The hello of an agent that was welcomed before.
inline wire::DoorHello return_of(const std::string& name, const wire::DoorWelcome& welcome) {
  wire::DoorHello hello = hello_of(name);
  hello.agent_id = welcome.agent_id;
  hello.token = welcome.token;
  hello.session_epoch = welcome.session_epoch + 1;
  hello.node_epoch_seen = welcome.node_epoch;
  return hello;
}

}  // namespace abuzz::node::test
