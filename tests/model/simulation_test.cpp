#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "bus/base/random.hpp"
#include "tests/campaign.hpp"
#include "tests/model/simulated_bus.hpp"

// A whole bus in one thread: a real node and real agents over the loop network, with time, chance
// and faults in the hands of the test. A seed repeats exactly.

namespace abuzz::testing {
namespace {

constexpr base::Nanos tick = 100 * base::microsecond;

struct Faults {
  bool delays = false;
  bool cuts = false;
  bool node_kills = false;
  bool agent_kills = false;
  bool lives = false;  // some messages have a time to live
  bool naps = false;   // agents are not stepped for a while, and subscribe with every policy
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, const Faults& faults)
      : random_(seed), faults_(faults), node_({}, false, seed) {
    if (faults.delays)
      node_.network().set_faults({10 * base::microsecond, 2 * base::millisecond, 0});
    for (int index = 0; index < 4; ++index) add_agent();
    settle(400);
  }

  void run(std::size_t steps) {
    for (std::size_t step = 0; step < steps; ++step) {
      publish_some();
      inject();
      advance();
    }
  }
  // Time passes without anything new.
  void settle(std::size_t steps) {
    for (std::size_t step = 0; step < steps; ++step) advance();
  }

  std::uint64_t pushed() {
    std::uint64_t sum = 0;
    for (auto& agent : agents_)
      for (std::size_t index = 0; index < agent->publisher_count(); ++index)
        sum += agent->publisher(index).pushed();
    return sum;
  }
  std::vector<std::unique_ptr<SimulatedAgent>>& agents() { return agents_; }
  std::vector<Seen*>& seen() { return seen_; }
  Trace& trace() { return trace_; }
  node::test::LoopNode& node() { return node_; }

 private:
  void add_agent() {
    const std::string name = "agent-" + std::to_string(serial_++);
    agents_.push_back(
        std::make_unique<SimulatedAgent>(node_, pool_, config_, name, random_.next(), trace_));
    SimulatedAgent& agent = *agents_.back();
    seen_.push_back(&agent.add_subscription("work.*.item"));
    seen_.push_back(&agent.add_subscription("work.>"));
    if (faults_.naps) add_lossy(agent);
    agent.add_publisher("work." + name + ".item", {.lane = any_lane()});
    agent.add_publisher("work." + name + ".other.thing", {.lane = any_lane()});
  }
  Lane any_lane() { return static_cast<Lane>(1 + random_.below(3)); }
  void add_lossy(SimulatedAgent& agent) {
    for (const Policy policy : {Policy::drop_new, Policy::drop_old, Policy::latest}) {
      SubscribeOptions options;
      options.policy = policy;
      options.queue_messages = 40;
      if (policy == Policy::latest) options.latest_messages = 5;
      seen_.push_back(&agent.add_subscription("work.>", options));
    }
  }
  void publish_some() {
    const std::size_t count = random_.below(30);
    for (std::size_t index = 0; index < count; ++index) {
      SimulatedAgent& agent = *agents_[random_.below(agents_.size())];
      const std::uint64_t kind = random_.below(1000);
      const std::size_t bytes = kind < 900   ? random_.below(200)
                                : kind < 995 ? random_.below(20'000)
                                             : random_.below(300'000);
      MessageOptions options;
      if (faults_.lives && random_.below(3) == 0)
        options.time_to_live = std::chrono::milliseconds(random_.below(20));
      options.key = faults_.lives ? random_.below(3) : 0;
      trace_.add(static_cast<std::uint64_t>(agent.publish(random_.below(2), bytes, options)));
    }
  }
  void inject() {
    if (faults_.cuts && random_.below(400) == 0) node_.network().cut_links();
    if (faults_.node_kills && random_.below(800) == 0) node_.restart();
    if (faults_.agent_kills && random_.below(800) == 0) {
      const std::size_t victim = random_.below(agents_.size());
      agents_.erase(agents_.begin() + static_cast<std::ptrdiff_t>(victim));
      seen_.erase(seen_.begin() + static_cast<std::ptrdiff_t>(victim * 2),
                  seen_.begin() + static_cast<std::ptrdiff_t>(victim * 2 + 2));
      add_agent();
    }
  }
  void advance() {
    node_.clock().advance(tick + static_cast<base::Nanos>(random_.below(tick)));
    node_.step(1);
    if (faults_.naps && random_.below(50) == 0) {
      sleeper_ = agents_[random_.below(agents_.size())].get();
      wakes_at_ = node_.clock().now() + static_cast<base::Nanos>(random_.below(200'000'000));
    }
    for (auto& agent : agents_)
      if (agent.get() != sleeper_ || node_.clock().now() >= wakes_at_) agent->step();
    node_.step(1);
  }

  base::Random random_;
  const Faults faults_;
  const Config config_;
  Trace trace_;
  mem::ProcessMemory memory_;
  mem::Pool pool_{agent_classes, memory_};
  node::test::LoopNode node_;
  std::vector<std::unique_ptr<SimulatedAgent>> agents_;
  std::vector<Seen*> seen_;
  int serial_ = 0;
  const SimulatedAgent* sleeper_ = nullptr;
  base::Nanos wakes_at_ = 0;
};

std::uint64_t seed_of_run() {
  const char* text = std::getenv("ABUZZ_SEED");
  const std::uint64_t seed = text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
  std::printf("seed %llu (ABUZZ_SEED repeats it)\n", static_cast<unsigned long long>(seed));
  return seed;
}

// What a failing run needs to be understood; printed when ABUZZ_VERBOSE is set.
void describe(Simulation& simulation) {
  if (std::getenv("ABUZZ_VERBOSE") == nullptr) return;
  const auto print = [](const char* who, const StatsSnapshot& snapshot) {
    std::printf("-- %s\n", who);
    for (const RowSnapshot& row : snapshot.rows) {
      std::printf("row %s:", row.text.c_str());
      for (const CounterInfo& info : counter_table())
        if (info.kind == row.kind && row.counters[info.id] != 0)
          std::printf(" %s=%llu", info.label,
                      static_cast<unsigned long long>(row.counters[info.id]));
      std::printf("\n");
    }
  };
  print("node", simulation.node().core().stats().snapshot());
  for (auto& agent : simulation.agents()) print("agent", agent->core().stats().snapshot());
}

void expect_order(Simulation& simulation) {
  describe(simulation);
  for (const Seen* seen : simulation.seen()) {
    EXPECT_EQ(seen->disorder, 0u);
    EXPECT_EQ(seen->corrupt, 0u);
  }
}

// Every subscription has all messages of every stream that matches it, from the first one.
void expect_complete(Simulation& simulation) {
  for (const auto& receiver : simulation.agents()) {
    for (const auto& sender : simulation.agents()) {
      const std::uint64_t items = sender->publisher(0).pushed();
      const std::uint64_t others = sender->publisher(1).pushed();
      std::uint64_t received = 0;
      const std::size_t base = static_cast<std::size_t>(&receiver - &simulation.agents()[0]) * 2;
      for (std::size_t index = base; index < base + 2; ++index)
        for (const auto& [key, stream] : simulation.seen()[index]->streams)
          if (key.first == sender->core().session().agent_id.read()) received += stream.count;
      EXPECT_EQ(received, 2 * items + others);
    }
  }
}

TEST(Simulation, DeliversEverythingInOrderWithoutFaults) {
  Simulation simulation(seed_of_run(), {});
  simulation.run(500);
  simulation.settle(3000);
  EXPECT_GT(simulation.pushed(), 1000u);
  expect_order(simulation);
  expect_complete(simulation);
}

TEST(Simulation, DeliversEverythingInOrderWhenFramesAreLate) {
  Simulation simulation(seed_of_run(), {.delays = true});
  simulation.run(500);
  simulation.settle(5000);
  expect_order(simulation);
  expect_complete(simulation);
}

// Several trains as large as a window allows, to one subscription: each must be able to end.
TEST(Simulation, LargeTrainsOfManyPublishersDoNotWaitForEachOther) {
  Simulation simulation(seed_of_run(), {});
  for (int round = 0; round < 6; ++round) {
    for (auto& agent : simulation.agents())
      for (std::size_t index = 0; index < 2; ++index) (void)agent->publish(index, 1u << 20);
    simulation.settle(100);
  }
  simulation.settle(5000);
  EXPECT_GT(simulation.pushed(), 20u);  // the others were told that there is no room
  expect_order(simulation);
  expect_complete(simulation);
}

TEST(Simulation, LosesNothingWhenLinksAreCutAndTheNodeLives) {
  Simulation simulation(seed_of_run(), {.delays = true, .cuts = true});
  simulation.run(3000);
  simulation.settle(20'000);
  expect_order(simulation);
  expect_complete(simulation);
}

TEST(Simulation, LosesNothingWhenTheNodeIsKilled) {
  Simulation simulation(seed_of_run(), {.delays = true, .cuts = true, .node_kills = true});
  simulation.run(4000);
  simulation.settle(60'000);
  expect_order(simulation);
  expect_complete(simulation);
  for (auto& agent : simulation.agents()) {
    EXPECT_TRUE(agent->is_live());
    EXPECT_EQ(agent->subscription(0).state.read(), client::SubscriptionState::live);
  }
}

TEST(Simulation, EveryMessageHasOneOutcome) {
  Simulation simulation(seed_of_run(), {.delays = true, .node_kills = true, .agent_kills = true});
  simulation.run(3000);
  simulation.settle(30'000);
  expect_order(simulation);
  for (auto& agent : simulation.agents()) {
    for (std::size_t index = 0; index < agent->publisher_count(); ++index) {
      const FlushReport report = agent->publisher(index).report();
      EXPECT_EQ(report.pending, 0u);
      EXPECT_EQ(report.delivered + report.no_subscriber + report.dropped + report.unknown,
                agent->publisher(index).pushed());
    }
  }
}

// Quiet: every message in one term of every pair. Returns how many were dropped.
std::uint64_t expect_balance(Simulation& simulation) {
  std::uint64_t sum = 0;
  const StatsSnapshot snapshot = simulation.node().core().stats().snapshot();
  for (const RowSnapshot& pair : snapshot.rows) {
    if (pair.kind != RowKind::pair) continue;
    std::uint64_t accepted = 0;
    for (const RowSnapshot& row : snapshot.rows)
      if (row.index == pair.ids[0]) accepted = row.get(PublicationCounter::accepted);
    const std::uint64_t dropped =
        pair.get(PairCounter::dropped_queue_full) + pair.get(PairCounter::dropped_conflated) +
        pair.get(PairCounter::dropped_expired) + pair.get(PairCounter::void_after_join);
    EXPECT_EQ(accepted - pair.get(PairCounter::join), pair.get(PairCounter::matched));
    EXPECT_EQ(pair.get(PairCounter::matched), pair.get(PairCounter::delivered) + dropped);
    EXPECT_EQ(pair.get(PairCounter::queued), 0u);
    EXPECT_EQ(pair.get(PairCounter::in_flight), 0u);
    sum += dropped;
  }
  return sum;
}

// Whatever the policies drop: in order, and every message in one term of every pair.
TEST(Simulation, SleepingSubscribersLoseOnlyWhatIsCounted) {
  Simulation simulation(seed_of_run(), {.delays = true, .cuts = true, .naps = true});
  simulation.run(3000);
  simulation.settle(30'000);
  expect_order(simulation);
  EXPECT_GT(expect_balance(simulation), 1000u);
  for (auto& agent : simulation.agents())
    for (std::size_t index = 0; index < agent->publisher_count(); ++index)
      EXPECT_EQ(agent->publisher(index).report().delivered, agent->publisher(index).pushed());
}

TEST(Simulation, WhatOutlivesItsTimeIsCountedOnce) {
  Simulation simulation(seed_of_run(), {.delays = true, .cuts = true, .lives = true, .naps = true});
  simulation.run(3000);
  simulation.settle(30'000);
  expect_order(simulation);
  EXPECT_GT(expect_balance(simulation), 1000u);
  std::uint64_t expired = 0;
  for (auto& agent : simulation.agents()) {
    for (std::size_t index = 0; index < agent->publisher_count(); ++index) {
      const FlushReport report = agent->publisher(index).report();
      EXPECT_EQ(report.delivered + report.dropped, agent->publisher(index).pushed());
      expired += report.dropped;
    }
  }
  EXPECT_GT(expired, 10u);
}

TEST(Simulation, OneSeedGivesOneTraceCampaign) {
  const std::uint64_t runs = campaign_count(200);
  for (std::uint64_t run = 0; run < runs; ++run) {
    const std::uint64_t seed = seed_of_run() + run;
    std::uint64_t hashes[2];
    for (std::uint64_t& hash : hashes) {
      Simulation simulation(
          seed, {.delays = true, .cuts = true, .node_kills = true, .agent_kills = true});
      simulation.run(1500);
      simulation.settle(1000);
      expect_order(simulation);
      hash = simulation.trace().hash();
    }
    std::printf("trace %016llx\n", static_cast<unsigned long long>(hashes[0]));
    EXPECT_EQ(hashes[0], hashes[1]) << "seed " << seed;
  }
}

}  // namespace
}  // namespace abuzz::testing
