#include "bench/slo.hpp"

#include <gtest/gtest.h>

#include "bench/bench.hpp"

namespace abuzz::bench {
namespace {

// One verified run of Abuzz at a rate.
BenchReport report_with(std::uint64_t p99_ns, std::uint64_t received) {
  BenchReport report;
  RunResult run;
  run.plan.scenario = "pubsub";
  run.plan.system = &abuzz_system;
  run.plan.rate = 1000;
  run.expected = 1000;
  run.figures.received = received;
  run.figures.elapsed_ns = 999'000'000;  // the last interval is not in it
  run.figures.p99_ns = p99_ns;
  run.figures.timed = received;
  report.runs.push_back(run);
  return report;
}

std::vector<std::string> check(const char* text, const BenchReport& report) {
  std::vector<Condition> conditions;
  EXPECT_EQ(parse_slo(text, conditions), "");
  return unmet(conditions, report);
}

TEST(Slo, WhatIsReachedIsNotComplainedOf) {
  EXPECT_TRUE(check("p99<50us,loss=0,rate>=1k", report_with(49'000, 1000)).empty());
}

TEST(Slo, ALatencyThatIsTooHighIsNamed) {
  const auto lines = check("p99<50us,loss=0", report_with(51'000, 1000));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0], "pubsub 64 B: p99<50us, found 51.000 us");
}

TEST(Slo, WhatIsMissingIsLossAndLeavesNoLatency) {
  EXPECT_EQ(check("p99<50us,loss=0", report_with(1, 999)).size(), 2u);
}

TEST(Slo, AFigureThatWasNotMeasuredIsNotMet) {
  BenchReport closed = report_with(1, 1000);
  closed.runs[0].plan.rate = 0;
  EXPECT_EQ(check("p99<50us", closed).size(), 1u);
}

TEST(Slo, ConditionsNeedAFigureAnOrderAndAUnit) {
  std::vector<Condition> conditions;
  for (const char* text : {"", "p99", "p99<", "p99<50", "p98<50us", "loss=0us", "rate<>5", "<5us",
                           "p99<50us,", "loss=-1"})
    EXPECT_NE(parse_slo(text, conditions), "") << text;
}

TEST(Slo, OrdersMeanWhatTheySay) {
  EXPECT_TRUE(holds(1, "<", 2) && !holds(2, "<", 2) && holds(2, "<=", 2));
  EXPECT_TRUE(holds(2, "=", 2) && !holds(1, "=", 2));
  EXPECT_TRUE(holds(3, ">", 2) && !holds(2, ">", 2) && holds(2, ">=", 2));
}

}  // namespace
}  // namespace abuzz::bench
