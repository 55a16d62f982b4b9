#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "tests/campaign.hpp"
#include "tests/model/random_bus.hpp"

// The real client, switch and shard against the reference, under random acts.
//
//   ABUZZ_SEED=7 model_test --gtest_filter='RandomBus*'   repeats the run of one seed exactly

namespace abuzz::testing {
namespace {

constexpr std::uint64_t acts_per_run = 10'000;

// Of a complaint what is the same in another run: its last words.
std::string kind_of(const RandomBus& bus, Reference& reference) {
  if (!bus.has_failed()) return {};
  std::string kind = reference.complaints().front();
  std::erase_if(kind, [](char c) { return c >= '0' && c <= '9'; });
  return kind.substr(kind.size() < 12 ? 0 : kind.size() - 12);
}

// Which acts the failure does not need: the shortest description of it that is cheap to find.
void narrow(std::uint64_t seed, std::uint64_t acts, const std::string& kind) {
  ActSet without = 0;
  for (std::size_t index = 0; index < static_cast<std::size_t>(Act::pass); ++index) {
    const ActSet next = without | bit(static_cast<Act>(index));
    RandomBus bus(seed, next);
    bus.run(acts);
    if (kind_of(bus, bus.reference()) == kind) without = next;
  }
  std::string needed;
  for (std::size_t index = 0; index < static_cast<std::size_t>(Act::pass); ++index)
    if ((without & bit(static_cast<Act>(index))) == 0)
      needed += std::string(" ") + act_names[index];
  std::printf("it fails with these acts alone:%s (ABUZZ_WITHOUT=%llu)\n", needed.c_str(),
              static_cast<unsigned long long>(without));
}

std::uint64_t number_of(const char* name, std::uint64_t fallback) {
  const char* value = std::getenv(name);
  return value == nullptr ? fallback : std::strtoull(value, nullptr, 10);
}

bool run_one(std::uint64_t seed, std::uint64_t acts) {
  const ActSet without = number_of("ABUZZ_WITHOUT", 0);
  RandomBus bus(seed, without);
  bus.run(acts);
  if (!bus.has_failed()) bus.rest();
  if (!bus.has_failed()) return true;
  std::printf("seed %llu failed at act %llu (ABUZZ_SEED repeats it); the last acts:\n",
              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(bus.acts()));
  bus.print_last_acts();
  for (const std::string& complaint : bus.reference().complaints())
    ADD_FAILURE() << "seed " << seed << ": " << complaint;
  if (without == 0) narrow(seed, acts, kind_of(bus, bus.reference()));
  return false;
}

// Four million acts in full, forty thousand at one percent.
TEST(RandomBus, DoesWhatTheReferenceSaysCampaign) {
  const std::uint64_t seed = number_of("ABUZZ_SEED", 1);
  const bool is_one = std::getenv("ABUZZ_SEED") != nullptr;
  const std::uint64_t runs = number_of("ABUZZ_RUNS", is_one ? 1 : campaign_count(400));
  std::printf("seed %llu (ABUZZ_SEED repeats it), %llu runs\n",
              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(runs));
  for (std::uint64_t run = 0; run < runs; ++run)
    if (!run_one(seed + run, number_of("ABUZZ_ACTS", acts_per_run))) return;
}

TEST(RandomBus, RepeatsASeedExactly) {
  const auto hash_of = [](std::uint64_t seed) {
    RandomBus bus(seed);
    bus.run(3000);
    return bus.hash();
  };
  EXPECT_EQ(hash_of(5), hash_of(5));
  EXPECT_NE(hash_of(5), hash_of(6));
}

}  // namespace
}  // namespace abuzz::testing
