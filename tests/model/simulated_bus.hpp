#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bus/base/random.hpp"
#include "bus/client/agent_core.hpp"
#include "bus/mem/pool.hpp"
#include "bus/stats.hpp"
#include "tests/node/loop_node.hpp"

namespace abuzz::testing {

// Folds what happened into one number: two runs of one seed must give the same.
class Trace {
 public:
  void add(std::uint64_t value) noexcept {
    hash_ = (hash_ ^ value) * 0x100'0000'01B3ull;  // FNV-1a, a word at a time
    hash_ ^= hash_ >> 29;
  }
  std::uint64_t hash() const noexcept { return hash_; }

 private:
  std::uint64_t hash_ = 0xCBF2'9CE4'8422'2325ull;
};

inline constexpr mem::SizeClass agent_classes[] = {{512, 64, 4096},   {4096, 64, 4096},
                                                   {16384, 16, 1024}, {81920, 16, 1024},
                                                   {327680, 8, 256},  {1180672, 2, 64}};

// What one subscription saw: per stream strictly rising sequences, or it is an error.
struct Seen {
  struct Stream {
    std::uint64_t last = 0, count = 0, first = 0;
  };
  std::map<std::pair<std::uint64_t, std::uint32_t>, Stream> streams;
  std::uint64_t messages = 0, disorder = 0, corrupt = 0;
};

// The payload of a message says who sent it, so that the receiver can check every byte.
inline void fill_payload(std::vector<std::byte>& payload, std::uint64_t sequence) {
  for (std::size_t index = 0; index < payload.size(); ++index)
    payload[index] = static_cast<std::byte>((sequence * 31 + index * 7) & 0xFF);
}

inline bool is_payload_right(std::span<const std::byte> payload, std::uint64_t sequence) {
  for (std::size_t index = 0; index < payload.size(); ++index)
    if (payload[index] != static_cast<std::byte>((sequence * 31 + index * 7) & 0xFF)) return false;
  return true;
}

// An agent of the simulation: the real core over the loop network.
class SimulatedAgent {
 public:
  // `pool` outlives the node: a loop link hands buffers over as they are.
  SimulatedAgent(node::test::LoopNode& node, mem::Pool& pool, const Config& config,
                 std::string name, std::uint64_t seed, Trace& trace)
      : trace_(trace), clock_(node.clock()) {
    stats_ = StatsFile::create("", {}, 8192).value();
    client::Session::Identity identity;
    identity.name = std::move(name);
    identity.pid = 77;
    core_ = std::make_shared<client::AgentCore>(client::AgentCore::Parts{
        node.network(), pool, config, *stats_, node.clock(), seed, identity});
  }
  ~SimulatedAgent() {
    publishers_.clear();
    core_->mark_closed();
    core_->abandon();
    core_->requests().close();
    core_->answers().close();
    core_->executor().run(1u << 20);  // what is queued holds buffers
    subscriptions_.clear();
    core_.reset();
  }

  std::size_t step() { return core_->do_work(); }
  client::PublisherCore& add_publisher(const std::string& topic,
                                       const PublisherOptions& options = {}) {
    publishers_.push_back(core_->open_publisher(core_, topic, options).value());
    return *publishers_.back();
  }
  Seen& add_subscription(const std::string& pattern, const SubscribeOptions& options = {}) {
    seen_.push_back(std::make_unique<Seen>());
    Seen* seen = seen_.back().get();
    subscriptions_.push_back(
        core_
            ->open_subscription(
                pattern, [this, seen](const MessageView& message) { record(*seen, message); },
                options)
            .value());
    return *seen;
  }
  client::AgentCore& core() { return *core_; }
  std::shared_ptr<client::AgentCore> shared_core() { return core_; }
  client::PublisherCore& publisher(std::size_t index) { return *publishers_[index]; }
  client::SubscriptionCore& subscription(std::size_t index) { return *subscriptions_[index]; }
  std::size_t publisher_count() const { return publishers_.size(); }
  bool is_live() const { return core_->session().state.read() == client::SessionState::live; }

  SendStatus publish(std::size_t publisher, std::size_t bytes, const MessageOptions& options = {}) {
    payload_.resize(bytes);
    client::PublisherCore& core = *publishers_[publisher];
    fill_payload(payload_, core.pushed() + 1);
    return core.try_publish(payload_, options);
  }

 private:
  void record(Seen& seen, const MessageView& message) {
    Seen::Stream& stream = seen.streams[{message.agent_id(), message.publisher_id()}];
    if (message.sequence() <= stream.last) ++seen.disorder;
    if (stream.count == 0) stream.first = message.sequence();
    stream.last = message.sequence();
    ++stream.count;
    ++seen.messages;
    if (!is_payload_right(message.payload(), message.sequence())) ++seen.corrupt;
    trace_.add(message.agent_id());
    trace_.add(message.publisher_id());
    trace_.add(message.sequence());
    trace_.add(static_cast<std::uint64_t>(clock_.now()));
  }

  Trace& trace_;
  base::ManualClock& clock_;
  std::unique_ptr<StatsFile> stats_;
  std::shared_ptr<client::AgentCore> core_;  // shared with publishers, as in the real agent
  std::vector<std::shared_ptr<client::PublisherCore>> publishers_;
  std::vector<std::shared_ptr<client::SubscriptionCore>> subscriptions_;
  std::vector<std::unique_ptr<Seen>> seen_;
  std::vector<std::byte> payload_;
};

}  // namespace abuzz::testing
