#include <gtest/gtest.h>

#include <thread>

#include "bus/place/affinity.hpp"
#include "tests/place/machines.hpp"

namespace abuzz::place {
namespace {

TEST(ThisMachine, IsWhatTheCallingThreadMayUse) {
  const Processors allowed = read_affinity();
  ASSERT_FALSE(allowed.empty());
  const Topology topology = read_topology();
  EXPECT_TRUE(topology.is_this_machine);
  Processors seen;
  for (const Topology::Core& core : topology.cores) {
    seen.insert(seen.end(), core.processors.begin(), core.processors.end());
  }
  std::ranges::sort(seen);
  EXPECT_EQ(seen, allowed);
  EXPECT_GE(topology.online_count, allowed.size());
}

TEST(ThisMachine, UnderAMaskOfOneHasOneProcessor) {
  std::thread([] {
    const std::uint32_t last = read_affinity().back();
    ASSERT_EQ(set_affinity({last}), 0);
    const Topology topology = read_topology();
    ASSERT_EQ(topology.processor_count(), 1u);
    EXPECT_EQ(topology.cores.front().processors.front(), last);
  }).join();
}

TEST(ThisMachine, KeepsProcessorsThatHwlocDoesNotList) {
  Processors allowed = read_affinity();
  allowed.push_back(allowed.back() + 1000);
  const Topology topology = read_topology_within(allowed);
  EXPECT_EQ(topology.processor_count(), allowed.size());
  EXPECT_FALSE(topology.note.empty());
}

TEST(ThisMachine, IsAtLeastOneCoreWhenNothingCanBeRead) {
  EXPECT_EQ(read_topology_within({}).cores.size(), 1u);
  EXPECT_EQ(flat_topology({}).cores.size(), 1u);
}

TEST(Description, OfAMachineIsWhatHwlocTakes) {
  const Topology topology = make_topology("pack:2 numa:2 l3:2 core:4 pu:2").value();
  ASSERT_EQ(topology.cores.size(), 32u);
  EXPECT_EQ(topology.processor_count(), 64u);
  EXPECT_FALSE(topology.is_this_machine);
  EXPECT_EQ(topology.cores.front().processors, (Processors{0, 1}));
  EXPECT_EQ(topology.cores.back().package, 1u);
  EXPECT_EQ(topology.cores.back().numa, 3u);
  EXPECT_EQ(topology.cores.back().cache, 7u);
  EXPECT_TRUE(topology.knows_cores);
  EXPECT_TRUE(topology.knows_caches);
}

TEST(Description, ThatIsNoneIsRefused) {
  for (const char* wrong : {"", "nonsense", "core:0", "pack:2 core", "no/such/file", "none.xml",
                            "pack:65 core:64", "pack:99999999999 pu:2", "4097", "64 64 2"}) {
    const Result<Topology> made = make_topology(wrong);
    ASSERT_FALSE(made.ok()) << wrong;
    EXPECT_EQ(made.error(), Error::bad_flag_value) << wrong;
  }
}

TEST(Description, OfManyProcessorsIsTaken) {
  EXPECT_EQ(make_topology("pack:8 core:256 pu:2").value().processor_count(), 4096u);
}

TEST(Description, KnowsKindsOfCores) {
  const Topology topology =
      testing::topology_of({"", "hybrid-8-fast-8-slow.xml", testing::Wakes::unmeasured});
  EXPECT_EQ(topology.kind_count, 2u);
  EXPECT_EQ(topology.cores.front().kind, 1u);
  EXPECT_EQ(topology.cores.back().kind, 0u);
}

TEST(Description, CountsProcessorsThatAreSwitchedOff) {
  const Topology topology =
      testing::topology_of({"", "offline-siblings.xml", testing::Wakes::unmeasured});
  EXPECT_EQ(topology.online_count, 4u);
  EXPECT_EQ(topology.offline_count, 4u);
}

TEST(Masks, AreReadBackAsTheyWereSet) {
  std::thread([] {
    const Processors allowed = read_affinity();
    ASSERT_EQ(set_affinity({allowed.front()}), 0);
    EXPECT_EQ(read_affinity(), Processors{allowed.front()});
    ASSERT_EQ(set_affinity(allowed), 0);
    EXPECT_EQ(read_affinity(), allowed);
  }).join();
}

TEST(Masks, OutsideTheMachineAreRefused) {
  EXPECT_EQ(set_affinity({}), EINVAL);
  EXPECT_EQ(set_affinity({60'000}), EINVAL);
  EXPECT_EQ(set_affinity({4'000'000'000u}), EINVAL);
}

TEST(Masks, AreWrittenAsTheKernelDoes) {
  EXPECT_EQ(processors_text({}), "");
  EXPECT_EQ(processors_text({3}), "3");
  EXPECT_EQ(processors_text({0, 1, 4, 5, 6, 9}), "0,1,4-6,9");
}

}  // namespace
}  // namespace abuzz::place
