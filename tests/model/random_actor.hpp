#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bus/base/random.hpp"
#include "tests/model/reference.hpp"
#include "tests/model/simulated_bus.hpp"

namespace abuzz::testing {

// Whose message it is, in every byte of it.
inline void stamp_payload(std::span<std::byte> payload, std::uint64_t stamp) {
  for (std::size_t offset = 0; offset < payload.size(); offset += 8) {
    const std::uint64_t word = stamp * 0x9E37'79B9'7F4A'7C15ull + offset;
    std::memcpy(payload.data() + offset, &word, std::min<std::size_t>(8, payload.size() - offset));
  }
}
inline bool is_stamped(std::span<const std::byte> payload, std::uint64_t stamp) {
  for (std::size_t offset = 0; offset < payload.size(); offset += 8) {
    const std::uint64_t word = stamp * 0x9E37'79B9'7F4A'7C15ull + offset;
    if (std::memcmp(payload.data() + offset, &word,
                    std::min<std::size_t>(8, payload.size() - offset)) != 0)
      return false;
  }
  return true;
}

// One process of the model: a real agent, and what the reference knows of it.
struct RandomActor {
  struct Pub {
    std::shared_ptr<client::PublisherCore> core;
    Reference::Source* source = nullptr;
    std::uint32_t publisher_id = 0;
    FlushReport told;                // at the last rest
    std::uint64_t handled_told = 0;  // by some subscription, as the reference has it
    std::uint64_t published_told = 0;
  };
  struct Sub {
    std::shared_ptr<client::SubscriptionCore> core;
    Reference::Sink* sink = nullptr;
    bool is_polled = false;
    // At the last rest, of each pair: in which node's life, by which registration of the
    // subscription there, and how much it had counted.
    struct Told {
      std::uint32_t node_epoch = 0, generation = 0;
      std::uint64_t delivered = 0, handled = 0;
    };
    std::map<std::uint64_t, Told> told;  // by the source's number
  };

  std::string name;
  std::unique_ptr<SimulatedAgent> agent;
  std::vector<Pub> pubs;
  std::vector<Sub> subs;
  std::vector<Reference::Source*> released;  // their publishers are gone, since the last rest
  std::uint64_t id = 0;                      // once a node has given it
  // Of publishers that were released before.
  std::vector<std::pair<std::uint32_t, Reference::Source*>> early;
  std::uint32_t opened = 0;  // publishers, in all: their ids count from 1
  base::Nanos wakes_at = 0;
  base::Nanos absent_since = 0;    // 0: it stands on its link with all it has
  std::uint32_t links_needed = 0;  // to be there again
  base::Nanos leaves_until = 0;    // 0: it stays

  bool is_asleep(base::Nanos now) const { return now < wakes_at; }
  bool is_leaving() const { return leaves_until != 0; }
  client::AgentCore& core() { return agent->core(); }
  // Nothing of what it has is unknown to the node.
  bool is_present(base::Nanos now) {
    const client::Session& session = core().session();
    if (is_asleep(now) || session.state.read() != client::SessionState::live) return false;
    if (session.links_opened.read() < links_needed) return false;
    return std::none_of(subs.begin(), subs.end(), [](const Sub& sub) {
      return sub.core->needs_subscribe || sub.core->resumes || sub.core->returns;
    });
  }
  // What it knew, and nobody will ever tell: as kill -9.
  void die() {
    for (Pub& pub : pubs) released.push_back(pub.source);
    pubs.clear();
    agent.reset();
    subs.clear();
  }
};

}  // namespace abuzz::testing
