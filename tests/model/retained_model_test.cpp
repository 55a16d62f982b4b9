#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "tests/campaign.hpp"
#include "tests/model/simulated_bus.hpp"

// Subscriptions that come at random moments, with publishers at work, links cut and nodes killed:
// of each stream they get consecutive messages, from the oldest that is retained to the last one.

namespace abuzz::testing {
namespace {

constexpr base::Nanos tick = 100 * base::microsecond;
constexpr std::uint32_t retained = 3;

class LateJoiners {
 public:
  LateJoiners(std::uint64_t seed, bool kills)
      : random_(seed), kills_(kills), node_({}, false, seed) {
    node_.network().set_faults({10 * base::microsecond, 2 * base::millisecond, 0});
    for (int index = 0; index < 2; ++index) {
      add_agent("source-" + std::to_string(index));
      for (const char* part : {".a", ".b"})
        agents_.back()->add_publisher("state.source-" + std::to_string(index) + part,
                                      {.retain_messages = retained});
    }
    add_agent("late");
    settle(400);
  }

  void run(std::size_t steps) {
    for (std::size_t step = 0; step < steps; ++step) {
      for (std::uint64_t count = random_.below(4); count > 0; --count) publish();
      if (random_.below(60) == 0 && joined_.size() < 100) join();
      if (random_.below(400) == 0) node_.network().cut_links();
      if (kills_ && random_.below(1500) == 0) node_.restart();
      advance();
    }
  }
  void settle(std::size_t steps) {
    for (std::size_t step = 0; step < steps; ++step) advance();
  }
  void expect_consecutive() {
    std::size_t with_retained = 0;
    for (const Joined& joined : joined_) {
      EXPECT_EQ(joined.seen->disorder, 0u);
      EXPECT_EQ(joined.seen->corrupt, 0u);
      for (std::size_t source = 0; source < 2; ++source) {
        const std::uint64_t agent_id = agents_[source]->core().session().agent_id.read();
        for (std::size_t index = 0; index < 2; ++index) {
          const std::uint64_t before = joined.pushed[source * 2 + index];
          const std::uint64_t last = agents_[source]->publisher(index).pushed();
          if (before < retained) continue;
          const auto key = std::make_pair(agent_id, static_cast<std::uint32_t>(index + 1));
          ASSERT_TRUE(joined.seen->streams.contains(key));
          const Seen::Stream& stream = joined.seen->streams[key];
          EXPECT_EQ(stream.last, last);
          EXPECT_EQ(stream.count, last - stream.first + 1) << "a gap or a double";
          if (stream.first <= before) ++with_retained;
        }
      }
    }
    EXPECT_GT(with_retained, joined_.size());
    for (std::size_t index = 0; index < joined_.size(); ++index) {
      const SubscriptionReport report = agents_[2]->subscription(index).report();
      EXPECT_EQ(report.gaps, 0u);
      if (kills_) continue;
      EXPECT_EQ(report.duplicates, 0u);
    }
  }

 private:
  struct Joined {
    Seen* seen;
    std::uint64_t pushed[4];  // by each publisher when it subscribed
  };
  void add_agent(const std::string& name) {
    agents_.push_back(
        std::make_unique<SimulatedAgent>(node_, pool_, config_, name, random_.next(), trace_));
  }
  void publish() {
    const std::uint64_t kind = random_.below(200);
    const std::size_t bytes = kind == 0 ? random_.below(200'000) : random_.below(300);
    (void)agents_[random_.below(2)]->publish(random_.below(2), bytes);
  }
  void join() {
    Joined joined{&agents_[2]->add_subscription("state.>"), {}};
    for (std::size_t index = 0; index < 4; ++index)
      joined.pushed[index] = agents_[index / 2]->publisher(index % 2).pushed();
    joined_.push_back(joined);
  }
  void advance() {
    node_.clock().advance(tick + static_cast<base::Nanos>(random_.below(tick)));
    node_.step(1);
    for (auto& agent : agents_) agent->step();
    node_.step(1);
  }

  base::Random random_;
  const bool kills_;
  const Config config_;
  Trace trace_;
  mem::ProcessMemory memory_;
  mem::Pool pool_{agent_classes, memory_};
  node::test::LoopNode node_;
  std::vector<std::unique_ptr<SimulatedAgent>> agents_;
  std::vector<Joined> joined_;
};

void join_late(bool kills) {
  const char* text = std::getenv("ABUZZ_SEED");
  const std::uint64_t first = text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
  const std::uint64_t runs = campaign_count(100);
  for (std::uint64_t seed = first; seed < first + runs; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed) + " (ABUZZ_SEED repeats it)");
    LateJoiners bus(seed, kills);
    bus.run(3000);
    bus.settle(kills ? 60'000 : 10'000);
    bus.expect_consecutive();
  }
}

TEST(RetainedModel, LateJoinersGetConsecutiveMessagesWhileLinksAreCutCampaign) {
  join_late(false);
}

TEST(RetainedModel, LateJoinersGetConsecutiveMessagesWhileNodesAreKilledCampaign) {
  join_late(true);
}

}  // namespace
}  // namespace abuzz::testing
