#include "bench/heritage.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace abuzz::bench {
namespace {

class HeritageTest : public ::testing::TestWithParam<HeritageLoad> {};

TEST_P(HeritageTest, ThePartsOfTheProcessesAreTheWholeLoad) {
  const HeritageLoad load = GetParam();
  unsigned next_agent = 0;
  std::uint64_t messages = 0, tasks = 0;
  for (unsigned process = 0; process < heritage_processes; ++process) {
    const HeritagePart part = heritage_part(load, process);
    EXPECT_EQ(part.first_agent, next_agent);
    EXPECT_GT(part.agents, 0u);
    next_agent += part.agents;
    messages += part.messages;
    tasks += part.tasks;
  }
  EXPECT_EQ(next_agent, load.agents);
  EXPECT_EQ(messages, load.messages);
  EXPECT_EQ(tasks, load.tasks);
}

TEST_P(HeritageTest, EachAgentHasOneSenderWhichLivesInAnotherProcess) {
  const HeritageLoad load = GetParam();
  std::vector<unsigned> process_of(load.agents);
  for (unsigned process = 0; process < heritage_processes; ++process) {
    const HeritagePart part = heritage_part(load, process);
    for (unsigned agent = 0; agent < part.agents; ++agent)
      process_of[part.first_agent + agent] = process;
  }
  std::set<unsigned> targets;
  for (unsigned agent = 0; agent < load.agents; ++agent) {
    const unsigned target = heritage_target(load, agent);
    targets.insert(target);
    EXPECT_NE(process_of[agent], process_of[target]);
    EXPECT_EQ(heritage_sender(load, target), agent);
  }
  EXPECT_EQ(targets.size(), load.agents);
}

INSTANTIATE_TEST_SUITE_P(Loads, HeritageTest,
                         ::testing::ValuesIn(heritage_loads().begin(), heritage_loads().end()));

}  // namespace
}  // namespace abuzz::bench
