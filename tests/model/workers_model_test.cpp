#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "bus/base/random.hpp"
#include "tests/campaign.hpp"
#include "tests/client/fake_workers.hpp"
#include "tests/model/simulated_bus.hpp"

// A subscription whose handlers run beside each other, on a bus whose links and nodes are lost:
// calls begin and end in any order, and nothing is lost, doubled, out of its key's order, or told
// as handled before it was.

namespace abuzz::testing {
namespace {

constexpr base::Nanos tick = 200 * base::microsecond;
constexpr std::uint64_t keys = 5;  // 0 is none

struct Faults {
  bool cuts = false;
  bool node_kills = false;
};

class Workers {
 public:
  Workers(std::uint64_t seed, const Faults& faults)
      : random_(seed), faults_(faults), node_({}, false, seed) {
    publisher_.add_publisher("work");
    worker_.core().set_worker_host(host_);
    subscription_ =
        worker_.core()
            .open_subscription("work", [this](const MessageView& message) { handle(message); },
                               {.concurrency = 2 + static_cast<std::uint32_t>(random_.below(6))})
            .value();
    for (int step = 0; step < 200; ++step) advance();
  }
  ~Workers() {
    for (const auto& [place, work] : running_) pool().finish(place, *work);
    worker_.core().remove_subscription(*subscription_);
    while (client::Work* const work = pool().begin(0)) pool().finish(0, *work);
  }

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      publish_some();
      if (faults_.cuts && random_.below(100) == 0) node_.network().cut_links();
      if (faults_.node_kills && random_.below(400) == 0) node_.restart();
      advance();
    }
    for (int step = 0; step < 200'000 && handled_ < sent_; ++step) advance();
    for (int step = 0; step < 6000; ++step) advance();
  }
  void expect_right() {
    EXPECT_EQ(handled_, sent_);
    EXPECT_EQ(doubled_, 0u);
    EXPECT_EQ(disorder_, 0u);
    EXPECT_EQ(told_early_, 0u);
  }
  std::uint64_t sent() const { return sent_; }

 private:
  client::WorkPool& pool() { return *worker_.core().work_pool(); }
  void handle(const MessageView& message) {
    const std::uint64_t sequence = message.sequence();
    if (++times_[sequence] > 1) ++doubled_;
    if (message.key() != 0) {
      if (sequence < last_[message.key()]) ++disorder_;
      last_[message.key()] = sequence;
    }
  }
  void publish_some() {
    for (std::uint64_t count = random_.below(4); count > 0; --count) {
      const MessageOptions options{.key = random_.below(keys)};
      const std::size_t bytes = random_.below(20) == 0 ? 200'000 : 16 + random_.below(400);
      if (publisher_.publish(0, bytes, options) == SendStatus::queued) ++sent_;
    }
  }
  void advance() {
    node_.clock().advance(tick);
    node_.step(1);
    publisher_.step();
    worker_.step();
    for (int act = 0; act < 3; ++act) work();
    node_.step(1);
    if (++steps_ % 16 == 0) check();
  }
  void work() {
    if (pool().size() == 0) return;
    if (random_.below(2) == 0) {
      const std::size_t place = random_.below(pool().size());
      client::Work* const work = pool().begin(place);
      if (work == nullptr) return;
      pool().call(*work);
      running_.emplace_back(place, work);
    } else if (!running_.empty()) {
      const std::size_t index = random_.below(running_.size());
      handled_ += running_[index].second->views.size();
      pool().finish(running_[index].first, *running_[index].second);
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
      worker_.core().step_now();
    }
  }
  // What the node was told, at any time.
  void check() {
    for (const RowSnapshot& row : node_.core().stats().snapshot().rows)
      if (row.kind == RowKind::subscription && row.get(SubscriptionCounter::delivered) > handled_)
        ++told_early_;
  }

  base::Random random_;
  const Faults faults_;
  const Config config_;
  Trace trace_;
  mem::ProcessMemory memory_;
  mem::Pool pool_{agent_classes, memory_};
  node::test::LoopNode node_;
  client::test::FakeHost host_{{0, 0, 1}};
  SimulatedAgent publisher_{node_, pool_, config_, "publisher", 11, trace_};
  SimulatedAgent worker_{node_, pool_, config_, "worker", 12, trace_};
  std::shared_ptr<client::SubscriptionCore> subscription_;
  std::vector<std::pair<std::size_t, client::Work*>> running_;
  std::map<std::uint64_t, int> times_;
  std::map<std::uint64_t, std::uint64_t> last_;
  std::uint64_t steps_ = 0;
  std::uint64_t sent_ = 0, handled_ = 0, doubled_ = 0, disorder_ = 0, told_early_ = 0;
};

void run_all(std::uint64_t seeds, const Faults& faults) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Workers workers(seed, faults);
    workers.run(600);
    EXPECT_GT(workers.sent(), 500u);
    workers.expect_right();
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(WorkersModel, HandleEachMessageOnceInTheOrderOfItsKey) {
  run_all(5, {});
}

TEST(WorkersModel, LoseNothingWhenLinksAreCut) {
  run_all(5, {.cuts = true});
}

TEST(WorkersModel, LoseAndDoubleNothingWhenNodesAreKilled) {
  run_all(5, {.node_kills = true});
}

TEST(WorkersModel, LoseAndDoubleNothingUnderBothCampaign) {
  run_all(campaign_count(400), {.cuts = true, .node_kills = true});
}

}  // namespace
}  // namespace abuzz::testing
