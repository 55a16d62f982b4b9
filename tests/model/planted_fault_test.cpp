#include <gtest/gtest.h>

#include <cstdio>

#include "tests/campaign.hpp"
#include "tests/model/random_bus.hpp"
#include "tests/model/rest_check.hpp"

// A switch that loses a queued batch, or delivers it twice, and counts neither, must be found out:
// by the reference, and from the counter files alone.

namespace abuzz::testing {
namespace {

// The language lets an explicit instantiation name private members: that is how the test reaches
// into a switch, which has no door for it.
template <class Tag, typename Tag::Type Member>
struct Reach {
  friend typename Tag::Type reach(Tag) { return Member; }
};
struct PortsOfSwitch {
  using Type =
      std::unordered_map<delivery::PortId, std::unique_ptr<delivery::Port>> delivery::Switch::*;
  friend Type reach(PortsOfSwitch);
};
template struct Reach<PortsOfSwitch, &delivery::Switch::ports_>;

enum class Fault : std::uint8_t { discards, doubles };

// Of the first queue that has a batch; false where none has.
bool plant(RandomBus& bus, Fault fault) {
  delivery::Switch& deliveries = bus.node().core().junction().deliveries();
  for (auto& [id, port] : deliveries.*reach(PortsOfSwitch{})) {
    for (auto& subscription : port->subscriptions) {
      if (!subscription) continue;
      for (delivery::Line& line : subscription->lines) {
        if (line.queue.is_empty()) continue;
        delivery::Entry& entry = line.queue.front();
        // Latest keeps other books of it, and trains have more than one piece.
        if (entry.slot != nullptr || entry.routed->is_train || entry.first_delivery != 0) continue;
        if (fault == Fault::discards) {
          (void)line.queue.take(entry);
          return true;
        }
        delivery::Entry copy = entry;
        ++copy.routed->pending;
        ++copy.routed->holders;
        if (subscription->policy == Policy::lossless) ++copy.routed->owed;
        const delivery::Amount amount{copy.count, copy.charge};
        subscription->queued = subscription->queued + amount;
        if (copy.routed->expires_at != 0) ++subscription->expiring;
        line.queue.push_back(std::move(copy));
        return true;
      }
    }
  }
  return false;
}

// Runs a seed with one fault in it. False where there was no moment to plant it.
bool expect_found(std::uint64_t seed, Fault fault) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  // Deaths and losses would make it the fault of somebody else.
  RandomBus bus(seed, bit(Act::kill_node) | bit(Act::kill_agent) | bit(Act::leave) |
                          bit(Act::unsubscribe) | bit(Act::close_publisher) | bit(Act::sleep) |
                          bit(Act::jump));
  bool is_planted = false;
  bus.before_act = [&](RandomBus&) {
    if (!is_planted && bus.acts() > 100) is_planted = plant(bus, fault);
  };
  bus.run(1000);
  if (!is_planted) return false;
  if (!bus.has_failed()) bus.rest();
  EXPECT_TRUE(bus.has_failed()) << "the reference did not see it";
  bus.pass(5 * base::second);
  EXPECT_FALSE(tools::make_ledger(counters_of(bus)).imbalances.empty())
      << "the ledger did not see it";
  return true;
}

TEST(PlantedFault, OfABatchThatIsDiscardedIsFoundCampaign) {
  std::uint64_t found = 0;
  const std::uint64_t runs = 20 + campaign_count(1000);
  for (std::uint64_t seed = 1; seed <= runs; ++seed) found += expect_found(seed, Fault::discards);
  std::printf("%llu of %llu runs had a moment for it\n", static_cast<unsigned long long>(found),
              static_cast<unsigned long long>(runs));
  EXPECT_GT(found, runs / 2);
}

TEST(PlantedFault, OfABatchThatIsDoubledIsFoundCampaign) {
  std::uint64_t found = 0;
  const std::uint64_t runs = 20 + campaign_count(1000);
  for (std::uint64_t seed = 1; seed <= runs; ++seed) found += expect_found(seed, Fault::doubles);
  std::printf("%llu of %llu runs had a moment for it\n", static_cast<unsigned long long>(found),
              static_cast<unsigned long long>(runs));
  EXPECT_GT(found, runs / 2);
}

}  // namespace
}  // namespace abuzz::testing
