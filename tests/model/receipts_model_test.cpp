#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <tuple>

#include "tests/campaign.hpp"
#include "tests/model/simulated_bus.hpp"

// Receipts against an oracle of what handlers saw, while links are cut, nodes and subscribers are
// killed: none is false, each is final, and each asked message has exactly one.

namespace abuzz::testing {
namespace {

constexpr base::Nanos tick = 100 * base::microsecond;

struct Faults {
  bool cuts = false;
  bool node_kills = false;
  bool subscriber_kills = false;
};

class ReceiptBus {
 public:
  ReceiptBus(std::uint64_t seed, const Faults& faults)
      : random_(seed), faults_(faults), node_({}, false, seed) {
    node_.network().set_faults({10 * base::microsecond, base::millisecond, 0});
    for (int index = 0; index < 3; ++index) {
      publishers_.push_back(add_agent("publisher"));
      publishers_.back()->add_publisher("work." + std::to_string(index));
    }
    for (int index = 0; index < 3; ++index) subscribers_.push_back(add_subscriber());
    settle(400);
  }

  void run(std::size_t steps) {
    for (std::size_t step = 0; step < steps; ++step) {
      publish_some();
      look_at_some();
      inject();
      advance();
    }
  }
  void settle(std::size_t steps) {
    for (std::size_t step = 0; step < steps; ++step) advance();
  }

  struct Sums {
    std::uint64_t delivered = 0, no_subscriber = 0, dropped = 0, unknown = 0;
  };
  // Every asked message has one receipt, which is true.
  Sums check(bool retries) {
    Sums sums;
    for (auto& [name, known] : asked_) {
      const auto [publisher, seq] = name;
      client::PublisherCore& core = publishers_[publisher]->publisher(0);
      const Receipt receipt = retries ? core.retry(seq) : core.receipt(seq);
      const std::uint64_t handled = handled_[{id_of(publisher), seq}];
      if (!retries) check_final(known, receipt.outcome, seq);
      switch (receipt.outcome) {
        case ReceiptOutcome::delivered:
          ++sums.delivered;
          EXPECT_GE(handled, receipt.delivered_count) << publisher << " " << seq;
          EXPECT_GE(receipt.delivered_count, 1u);
          break;
        case ReceiptOutcome::no_subscriber:
          ++sums.no_subscriber;
          EXPECT_EQ(handled, 0u) << publisher << " " << seq;
          break;
        case ReceiptOutcome::dropped:
          ++sums.dropped;
          EXPECT_EQ(handled, 0u) << publisher << " " << seq << drop_reason_name(receipt.reason);
          break;
        case ReceiptOutcome::unknown:
          ++sums.unknown;
          break;
        case ReceiptOutcome::pending:
          EXPECT_TRUE(retries) << "pending " << publisher << " " << seq;
          known = ReceiptOutcome::pending;
          break;
        case ReceiptOutcome::outside_window:
          ADD_FAILURE() << "outside " << publisher << " " << seq;
      }
      if (retries) known = receipt.outcome;
    }
    return sums;
  }
  std::uint64_t asked_count() const { return asked_.size(); }

 private:
  using Agent = std::unique_ptr<SimulatedAgent>;

  Agent add_agent(const std::string& kind) {
    return std::make_unique<SimulatedAgent>(node_, pool_, config_, kind + std::to_string(serial_++),
                                            random_.next(), trace_);
  }
  Agent add_subscriber() {
    Agent agent = add_agent("subscriber");
    for (const Policy policy : {Policy::lossless, Policy::drop_new, Policy::latest}) {
      if (random_.below(3) == 0) continue;
      SubscribeOptions options;
      options.policy = policy;
      options.queue_messages = policy == Policy::lossless ? 0 : 20;
      if (policy == Policy::latest) options.latest_messages = 3;
      const std::string pattern = random_.below(2) == 0 ? "work.*" : "work.1";
      inboxes_.push_back(agent->core()
                             .open_subscription(
                                 pattern,
                                 [this](const MessageView& message) {
                                   ++handled_[{message.agent_id(), message.sequence()}];
                                 },
                                 options)
                             .value());
    }
    return agent;
  }
  std::uint64_t id_of(std::size_t publisher) {
    return publishers_[publisher]->core().session().agent_id.read();
  }
  void publish_some() {
    const std::size_t count = random_.below(12);
    for (std::size_t index = 0; index < count; ++index) {
      const std::size_t publisher = random_.below(publishers_.size());
      MessageOptions options;
      options.receipt = random_.below(3) != 0;
      if (random_.below(10) == 0)
        options.time_to_live = std::chrono::milliseconds(1 + random_.below(5));
      const std::size_t bytes = random_.below(200) == 0 ? 150'000 : random_.below(300);
      if (publishers_[publisher]->publish(0, bytes, options) != SendStatus::queued) continue;
      const std::uint64_t seq = publishers_[publisher]->publisher(0).pushed();
      if (options.receipt) asked_[{publisher, seq}] = ReceiptOutcome::pending;
    }
  }
  void look_at_some() {
    if (asked_.empty()) return;
    for (int index = 0; index < 3; ++index) {
      const std::size_t publisher = random_.below(publishers_.size());
      const std::uint64_t pushed = publishers_[publisher]->publisher(0).pushed();
      const std::uint64_t seq = pushed - random_.below(std::min<std::uint64_t>(pushed, 500) + 1);
      const auto found = asked_.find({publisher, seq});
      const Receipt receipt = publishers_[publisher]->publisher(0).receipt(seq);
      if (found == asked_.end())
        EXPECT_EQ(receipt.outcome, ReceiptOutcome::outside_window) << seq;
      else
        check_final(found->second, receipt.outcome, seq);
    }
  }
  static void check_final(ReceiptOutcome& known, ReceiptOutcome now, std::uint64_t seq) {
    if (known != ReceiptOutcome::pending) {
      EXPECT_EQ(receipt_outcome_name(known), receipt_outcome_name(now)) << seq;
    }
    known = now;
  }
  void inject() {
    if (faults_.cuts && random_.below(300) == 0) node_.network().cut_links();
    if (faults_.node_kills && random_.below(700) == 0) node_.restart();
    if (faults_.subscriber_kills && random_.below(150) == 0) {
      Agent& victim = subscribers_[random_.below(subscribers_.size())];
      victim.reset();
      victim = add_subscriber();
    }
  }
  void advance() {
    node_.clock().advance(tick + static_cast<base::Nanos>(random_.below(tick)));
    node_.step(1);
    for (auto& agent : publishers_) agent->step();
    for (auto& agent : subscribers_) agent->step();
    node_.step(1);
  }

  base::Random random_;
  const Faults faults_;
  const Config config_;
  Trace trace_;
  mem::ProcessMemory memory_;
  mem::Pool pool_{agent_classes, memory_};
  node::test::LoopNode node_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> handled_;  // agent, sequence
  std::map<std::pair<std::size_t, std::uint64_t>, ReceiptOutcome> asked_;     // publisher, sequence
  std::vector<std::shared_ptr<client::SubscriptionCore>> inboxes_;  // shared with their sessions
  std::vector<Agent> publishers_, subscribers_;
  int serial_ = 0;
};

std::uint64_t seed_of_run() {
  const char* text = std::getenv("ABUZZ_SEED");
  const std::uint64_t seed = text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
  std::printf("seed %llu (ABUZZ_SEED repeats it)\n", static_cast<unsigned long long>(seed));
  return seed;
}

void print(const char* when, const ReceiptBus::Sums& sums) {
  std::printf("%s: delivered %llu, no subscriber %llu, dropped %llu, unknown %llu\n", when,
              static_cast<unsigned long long>(sums.delivered),
              static_cast<unsigned long long>(sums.no_subscriber),
              static_cast<unsigned long long>(sums.dropped),
              static_cast<unsigned long long>(sums.unknown));
}

TEST(ReceiptModel, EveryAskedMessageHasOneTrueReceiptWhenLinksAreCut) {
  ReceiptBus bus(seed_of_run(), {.cuts = true});
  bus.run(2000);
  bus.settle(3000);
  const ReceiptBus::Sums sums = bus.check(false);
  print("told", sums);
  EXPECT_GT(bus.asked_count(), 2000u);
  EXPECT_GT(sums.delivered, 1000u);
  EXPECT_GT(sums.dropped, 10u);
  EXPECT_EQ(sums.unknown, 0u);
}

TEST(ReceiptModel, OnlyWhatADeadSubscriberHadIsUnknown) {
  ReceiptBus bus(seed_of_run(), {.subscriber_kills = true});
  bus.run(2000);
  bus.settle(3000);
  const ReceiptBus::Sums sums = bus.check(false);
  print("told", sums);
  EXPECT_GT(sums.delivered, 1000u);
  EXPECT_LT(sums.unknown, 1000u);
}

TEST(ReceiptModel, NoReceiptIsFalseWhenNodesAreKilledCampaign) {
  const std::uint64_t runs = campaign_count(20);
  ReceiptBus::Sums all, learnt;
  for (std::uint64_t run = 0; run < runs; ++run) {
    const std::uint64_t seed = seed_of_run() + run;
    SCOPED_TRACE(seed);
    ReceiptBus bus(seed, {.cuts = true, .node_kills = true, .subscriber_kills = seed % 2 == 0});
    bus.run(2500);
    bus.settle(40'000);
    const ReceiptBus::Sums told = bus.check(false);
    (void)bus.check(true);
    bus.settle(2000);
    const ReceiptBus::Sums again = bus.check(true);
    print("told", told);
    print("asked again", again);
    EXPECT_EQ(again.no_subscriber, told.no_subscriber);
    EXPECT_EQ(again.dropped, told.dropped);
    EXPECT_EQ(again.delivered + again.unknown, told.delivered + told.unknown);
    all.unknown += told.unknown;
    learnt.unknown += again.unknown;
    if (HasFailure()) return;
  }
  EXPECT_GT(all.unknown, 0u);
  EXPECT_LT(learnt.unknown, all.unknown);
}

}  // namespace
}  // namespace abuzz::testing
