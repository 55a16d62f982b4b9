#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "tests/place/machines.hpp"

namespace abuzz::place {
namespace {

using testing::Machine;
using Role = PlannedThread::Role;

class PlanOf : public ::testing::TestWithParam<Machine> {
 protected:
  // The core that holds a processor, as an index.
  std::size_t core_of(std::uint32_t processor) const {
    for (std::size_t i = 0; i < topology_.cores.size(); ++i) {
      if (std::ranges::count(topology_.cores[i].processors, processor) > 0) return i;
    }
    ADD_FAILURE() << processor << " is outside the allowed set";
    return 0;
  }

  const Topology topology_ = testing::topology_of(GetParam());
  const Plan plan_ = testing::plan_of(GetParam(), topology_);
};

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// ABUZZ_WRITE_GOLDEN=1 writes what the code says; then read the difference.
TEST_P(PlanOf, IsTheOneThatIsWrittenDown) {
  const std::string path =
      std::string(ABUZZ_SOURCE_DIR) + "/tests/place/golden/" + GetParam().name + ".txt";
  const std::string text = topology_text(topology_) + "\n" + plan_text(plan_);
  if (std::getenv("ABUZZ_WRITE_GOLDEN") != nullptr) std::ofstream(path) << text;
  EXPECT_EQ(text, read_file(path));
}

TEST_P(PlanOf, StaysInsideTheAllowedSet) {
  for (const PlannedThread& thread : plan_.threads) {
    EXPECT_FALSE(thread.processors.empty()) << thread.name();
    EXPECT_FALSE(thread.reason.empty()) << thread.name();
    for (const std::uint32_t processor : thread.processors) core_of(processor);
  }
  for (const std::uint32_t processor : plan_.left) core_of(processor);
}

TEST_P(PlanOf, PutsNoTwoOfARoleOnOneCoreUnlessAsked) {
  if (GetParam().wishes.may_share_cores) return;
  std::map<Role, std::set<std::size_t>> taken;
  for (const PlannedThread& thread : plan_.threads) {
    if (thread.role != Role::shard && thread.role != Role::worker) continue;
    ASSERT_EQ(thread.processors.size(), 1u) << thread.name();
    EXPECT_TRUE(taken[thread.role].insert(core_of(thread.processors.front())).second)
        << thread.name() << " shares a core";
  }
}

TEST_P(PlanOf, HasAnIoThreadForEachShard) {
  std::map<Role, std::uint32_t> counts;
  for (const PlannedThread& thread : plan_.threads) {
    EXPECT_EQ(thread.index, counts[thread.role]) << thread.name();
    ++counts[thread.role];
  }
  EXPECT_GE(plan_.shard_count, 1u);
  EXPECT_EQ(counts[Role::shard], plan_.shard_count);
  EXPECT_EQ(counts[Role::io], plan_.shard_count);
  EXPECT_EQ(counts[Role::worker], plan_.worker_count);
}

TEST_P(PlanOf, LeavesACoreToOthersWhereThereAreEnough) {
  if (topology_.cores.size() < 2 || GetParam().wishes.shards != 0) return;
  EXPECT_LT(plan_.shard_count, topology_.cores.size());
  if (!GetParam().wishes.pool_workers) {
    EXPECT_FALSE(plan_.left.empty());
  }
}

TEST_P(PlanOf, HasFewerThreadsThanAQuotaAllows) {
  if (!topology_.quota || GetParam().wishes.shards != 0) return;
  EXPECT_LE(plan_.shard_count, std::max(1.0, *topology_.quota));
  EXPECT_LE(plan_.worker_count, std::max(1.0, *topology_.quota));
}

TEST_P(PlanOf, SaysWhyItPinsOrDoesNot) {
  EXPECT_FALSE(plan_.pin_reason.empty());
  EXPECT_FALSE(plan_.shard_reason.empty());
  if (GetParam().wishes.pin == PinWish::on) {
    EXPECT_TRUE(plan_.pins);
  }
  if (GetParam().wishes.pin == PinWish::off) {
    EXPECT_FALSE(plan_.pins);
  }
}

TEST_P(PlanOf, IsTheSameAgain) {
  EXPECT_EQ(plan_text(plan_), plan_text(testing::plan_of(GetParam(), topology_)));
}

std::string test_name(const ::testing::TestParamInfo<Machine>& machine) {
  std::string name = machine.param.name;
  std::ranges::replace(name, '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Machines, PlanOf, ::testing::ValuesIn(testing::machines()), test_name);

TEST(Plan, PinsByItselfOnlyWhereItCanWin) {
  const auto pins = [](Machine machine) {
    return testing::plan_of(machine, testing::topology_of(machine)).pins;
  };
  using enum testing::Wakes;
  EXPECT_TRUE(pins({"", "pack:1 l3:1 core:4 pu:2", cheap}));
  EXPECT_FALSE(pins({"", "pack:1 l3:1 core:3 pu:2", cheap})) << "too few cores";
  EXPECT_FALSE(pins({"", "pack:1 l3:1 core:4 pu:2", cheap, 3.0})) << "a quota";
  EXPECT_FALSE(pins({"", "pack:1 l3:1 core:4 pu:2", dear})) << "dear wake-ups";
  EXPECT_FALSE(pins({"", "pu:8", cheap})) << "cores are unknown";
}

TEST(Plan, OfThisMachineDoesNotPinBeforeAnythingWasMeasured) {
  Topology topology = make_topology("pack:1 l3:1 core:4 pu:2").value();
  EXPECT_TRUE(plan_threads(topology, nullptr, {}).pins);
  topology.is_this_machine = true;
  EXPECT_FALSE(plan_threads(topology, nullptr, {}).pins);
}

TEST(Plan, KeepsAnIoThreadWithItsShardWhereWakeUpsAcrossCoresAreDear) {
  const Machine machine{"", "pack:1 l3:1 core:4 pu:2", testing::Wakes::dear};
  const Plan plan = testing::plan_of(machine, testing::topology_of(machine));
  EXPECT_EQ(plan.threads[0].processors, plan.threads[1].processors);
  EXPECT_EQ(plan.threads[1].role, Role::io);
}

}  // namespace
}  // namespace abuzz::place
