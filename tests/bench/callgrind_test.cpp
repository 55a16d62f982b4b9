#include "bench/callgrind.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "bench/cost.hpp"

namespace abuzz::bench {
namespace {

constexpr const char* text =
    "version: 1\nevents: Ir sysCount\n\nfl=(1) a.cpp\nfn=(1) main\n10 5 0\n+1 7 0\n"
    "cfn=(2) malloc\ncalls=3 20\n12 900 4\n* 1 2\n\nfn=(2)\n20 30 0\nfn=(1)\n13 2 1\n"
    "totals: 45 3\n";

TEST(Callgrind, WhatAFunctionCallsIsNotItsOwn) {
  const std::string path = ::testing::TempDir() + "/callgrind_test." + std::to_string(getpid());
  std::ofstream(path) << text;
  const CallgrindProfile profile = read_callgrind(path);
  unlink(path.c_str());
  EXPECT_EQ(profile.instructions.at("main"), 15u);
  EXPECT_EQ(profile.instructions.at("malloc"), 30u);
  EXPECT_EQ(profile.system_calls, 3u);
  EXPECT_EQ(profile.allocations, 3u);
}

TEST(Callgrind, WhatIsNoProfileIsEmpty) {
  EXPECT_TRUE(read_callgrind("/dev/null").is_empty());
  EXPECT_TRUE(read_callgrind("/nonexistent").is_empty());
}

CallgrindProfile profile_of(std::uint64_t publish, std::uint64_t poll) {
  CallgrindProfile profile;
  profile.instructions = {{"publish", publish}, {"poll", poll}};
  return profile;
}

TEST(Callgrind, OnlyWhatRepeatsIsKept) {
  const auto kept = repeatable({profile_of(1000, 50), profile_of(1010, 90)}, 0.03);
  EXPECT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept.at("publish"), 1010u);
}

TEST(Cost, AFunctionThatIsNoiseInOneBuildCountsInNone) {
  Cost ours, theirs;
  ours.functions = {{"publish", 110}, {"poll", 500}, {"added", 10}};
  theirs.functions = {{"publish", 100}};
  theirs.others = {"poll"};
  EXPECT_DOUBLE_EQ(instruction_ratio(ours, theirs), 1.2);
}

}  // namespace
}  // namespace abuzz::bench
