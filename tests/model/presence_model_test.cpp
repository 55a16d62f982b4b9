#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

#include "tests/model/simulated_bus.hpp"

// Agents come, work, sleep, lose their links and die at random; one of them listens to what the
// node tells about the others. What it heard must be a walk through the table of node::Presence,
// and end where the node's counter rows stand.

namespace abuzz::testing {
namespace {

constexpr base::Nanos tick = base::millisecond;

class PresenceModel {
 public:
  explicit PresenceModel(std::uint64_t seed) : random_(seed), node_({}, true, seed) {
    node_.network().set_faults({10 * base::microsecond, base::millisecond, 0});
    watcher_ = make("watcher");
    const auto hear = [this](const MessageView& message) { take(message); };
    listening_ = watcher_->core().open_subscription("$agents.>", hear, {}).value();
    pass(500);
    for (int index = 0; index < 4; ++index) add_agent();
  }
  ~PresenceModel() {
    agents_.clear();
    listening_.reset();
    watcher_.reset();
  }

  void run(std::size_t steps) {
    for (std::size_t step = 0; step < steps; ++step) {
      SimulatedAgent& agent = *agents_[random_.below(agents_.size())];
      (void)agent.publish(0, random_.below(200));
      const std::uint64_t chance = random_.below(1500);
      if (chance == 0) node_.network().cut_links();
      if (chance == 1) {
        agents_.erase(agents_.begin() + static_cast<std::ptrdiff_t>(random_.below(agents_.size())));
        add_agent();
      }
      if (chance == 2) {
        const base::Nanos until = node_.clock().now() + 60 * base::second;
        agent.core().inside([&](client::Session& session) { session.leave(until); });
        add_agent();
      }
      if (chance < 6 && node_.clock().now() >= wakes_at_) {
        sleeper_ = agents_[random_.below(agents_.size())].get();
        wakes_at_ = node_.clock().now() + static_cast<base::Nanos>(random_.below(3'000'000'000));
      }
      pass(1);
    }
    sleeper_ = nullptr;
    pass(5000);
  }

  void expect_states_of_the_node() {
    for (const RowSnapshot& row : node_.core().stats().snapshot().rows) {
      if (row.kind != RowKind::agent || row.text == "watcher") continue;
      const auto state = static_cast<PeerState>(row.get(AgentCounter::state));
      EXPECT_EQ(heard_[row.text], peer_state_name(state)) << row.text;
      heard_.erase(row.text);
    }
    for (const auto& [name, state] : heard_) EXPECT_EQ(state, "gone") << name;
  }
  // Events of living agents only have rows, and none of them lost a message.
  void expect_tidy_ledger() {
    const StatsSnapshot stats = node_.core().stats().snapshot();
    std::set<std::string> names;
    for (const RowSnapshot& row : stats.rows)
      if (row.kind == RowKind::agent) names.insert(row.text);
    for (const RowSnapshot& row : stats.rows) {
      if (row.kind == RowKind::pair && row.text.starts_with("$agents.")) {
        EXPECT_EQ(row.get(PairCounter::matched), row.get(PairCounter::delivered)) << row.text;
      }
      if (row.kind != RowKind::publication || !row.text.starts_with("$agents.")) continue;
      const std::string name = row.text.substr(8, row.text.find('.', 8) - 8);
      EXPECT_TRUE(names.contains(name)) << row.text;
    }
    EXPECT_EQ(stats.rows[0].get(ProcessCounter::events_lost), 0u);
  }
  std::uint64_t hash() const { return trace_.hash(); }
  const std::set<std::string>& walked() const { return walked_; }

 private:
  std::unique_ptr<SimulatedAgent> make(const std::string& name) {
    return std::make_unique<SimulatedAgent>(node_, pool_, config_, name, random_.next(), trace_);
  }
  void add_agent() {
    agents_.push_back(make("agent-" + std::to_string(serial_++)));
    agents_.back()->add_subscription("work.*");
    agents_.back()->add_publisher("work.item");
  }
  void take(const MessageView& message) {
    const std::string topic(message.topic());
    const std::size_t dot = topic.rfind('.');
    const std::string name = topic.substr(8, dot - 8), state = topic.substr(dot + 1);
    if (name == "watcher") return;
    static const std::set<std::string> steps{
        "-starting",     "starting-ready",   "starting-starting", "starting-gone",
        "ready-busy",    "ready-draining",   "ready-starting",    "ready-gone",
        "busy-ready",    "busy-draining",    "busy-starting",     "busy-gone",
        "draining-gone", "draining-starting"};
    const std::string step = heard_[name] + "-" + state;
    EXPECT_TRUE(steps.contains(step)) << name << ": " << step;
    walked_.insert(step);
    heard_[name] = state;
    for (const char c : message.text()) trace_.add(static_cast<unsigned char>(c));
  }
  void pass(std::size_t ticks) {
    for (std::size_t index = 0; index < ticks; ++index) {
      node_.clock().advance(tick);
      node_.step(1);
      watcher_->step();
      for (auto& agent : agents_)
        if (agent.get() != sleeper_ || node_.clock().now() >= wakes_at_) agent->step();
      node_.step(1);
    }
  }

  base::Random random_;
  const Config config_;
  Trace trace_;
  mem::ProcessMemory memory_;
  mem::Pool pool_{agent_classes, memory_};
  node::test::LoopNode node_;
  std::unique_ptr<SimulatedAgent> watcher_;
  std::shared_ptr<client::SubscriptionCore> listening_;
  std::vector<std::unique_ptr<SimulatedAgent>> agents_;
  std::map<std::string, std::string> heard_;
  std::set<std::string> walked_;
  int serial_ = 0;
  const SimulatedAgent* sleeper_ = nullptr;
  base::Nanos wakes_at_ = 0;
};

TEST(PresenceModel, WhatIsToldIsAWalkThroughTheTableAndEndsWhereTheNodeStands) {
  const char* text = std::getenv("ABUZZ_SEED");
  const std::uint64_t first = text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
  std::printf("seed %llu (ABUZZ_SEED repeats it)\n", static_cast<unsigned long long>(first));
  std::set<std::string> walked;
  for (std::uint64_t seed = first; seed < first + 5; ++seed) {
    SCOPED_TRACE(seed);
    PresenceModel model(seed);
    model.run(10'000);
    model.expect_states_of_the_node();
    model.expect_tidy_ledger();
    walked.insert(model.walked().begin(), model.walked().end());
  }
  if (text != nullptr) return;
  for (const char* step : {"ready-busy", "busy-ready", "ready-gone", "ready-starting",
                           "draining-gone", "starting-ready"})
    EXPECT_TRUE(walked.contains(step)) << step;
}

TEST(PresenceModel, ASeedRepeatsExactly) {
  const auto hash_of = [](std::uint64_t seed) {
    PresenceModel model(seed);
    model.run(3000);
    return model.hash();
  };
  EXPECT_EQ(hash_of(3), hash_of(3));
  EXPECT_NE(hash_of(3), hash_of(4));
}

}  // namespace
}  // namespace abuzz::testing
