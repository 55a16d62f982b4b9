#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "bus/base/runtime_paths.hpp"
#include "bus/place/affinity.hpp"
#include "bus/place/exchange.hpp"
#include "tests/place/machines.hpp"
#include "tests/scratch.hpp"

namespace abuzz::place {
namespace {

// Times are whatever the machine is busy with: only what must hold is asked.

TEST(Exchange, OnOneProcessorTellsWhatAWakeUpCosts) {
  const std::uint32_t processor = read_affinity().front();
  const ExchangeCost cost = measure_exchange(processor, processor, 2 * base::second);
  EXPECT_GT(cost.wake_ns, 0);
  EXPECT_EQ(cost.line_ns, 0);
}

TEST(Exchange, BetweenTwoProcessorsTellsBothCosts) {
  const Processors allowed = read_affinity();
  if (allowed.size() < 2) GTEST_SKIP() << "one processor is allowed";
  // Lines pass only while both run: a busy machine may never let them.
  ExchangeCost cost;
  for (int attempt = 0; attempt < 8 && cost.line_ns == 0; ++attempt) {
    cost = measure_exchange(allowed[0], allowed[1], base::second);
  }
  if (cost.line_ns == 0) GTEST_SKIP() << "the machine is too busy to measure";
  EXPECT_GT(cost.line_ns, 0);
}

TEST(Exchange, WithAProcessorThatIsNotThereEndsAtOnce) {
  const ExchangeCost cost = measure_exchange(read_affinity().front(), 60'000, 60 * base::second);
  EXPECT_EQ(cost.wake_ns, 0);
  EXPECT_EQ(cost.line_ns, 0);
}

TEST(Exchange, LeavesTheMaskOfItsCallerAlone) {
  const Processors before = read_affinity();
  measure_exchange(before.front(), before.back(), 5 * base::millisecond);
  EXPECT_EQ(read_affinity(), before);
}

TEST(Measuring, CoversEveryPairOfAFewProcessors) {
  Topology topology = read_topology();
  const Measures measures = measure_machine(topology);
  if (topology.processor_count() <= 8) {
    const std::size_t count = topology.processor_count();
    EXPECT_LE(measures.pairs.size(), count * (count - 1) / 2);
  }
  EXPECT_GT(measures.timer_late_most_us, 0);
  EXPECT_GE(measures.timer_late_most_us, measures.timer_late_us);
  EXPECT_GT(measures.took.count(), 0);
}

class Kept : public ::testing::Test {
 protected:
  Kept() {
    config_.node.runtime_directory = scratch_.path() + "/abuzz";
    topology_.is_this_machine = true;
    measures_.pairs = {{0, 1, 181.5, 44.25}, {0, 2, 90, 7}, {1, 2, 120, 45.5}};
    measures_.wake_same_us = 4.125;
    measures_.timer_late_us = 60;
    measures_.timer_late_most_us = 3999.5;
  }
  // Of the tests that keep one.
  std::string path() const {
    const std::filesystem::path start(base::RuntimePaths(config_.node.runtime_directory).measures);
    for (const auto& entry : std::filesystem::directory_iterator(start.parent_path()))
      if (entry.path().filename().string().starts_with(start.filename().string()))
        return entry.path().string();
    return start.string();
  }
  void spoil(const std::string& from, const std::string& to) {
    std::string text = base::read_small_file(path(), 1 << 16);
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos);
    text.replace(at, from.size(), to);
    std::ofstream(path()) << text;
  }

  const ScratchDirectory scratch_;
  Config config_;
  Topology topology_ = flat_topology({0, 1, 2});
  Measures measures_;
};

TEST_F(Kept, MeasuresAreReadAsTheyWereWritten) {
  EXPECT_FALSE(kept_measures(config_, topology_).has_value());
  ASSERT_TRUE(keep_measures(config_, topology_, measures_).ok());
  const std::optional<Measures> kept = kept_measures(config_, topology_);
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(measures_text(*kept), measures_text(measures_));
  EXPECT_EQ(kept->wake_across_us(), 44.25);
}

TEST_F(Kept, MeasuresHoldForTheSameProcessorsOnly) {
  ASSERT_TRUE(keep_measures(config_, topology_, measures_).ok());
  EXPECT_FALSE(kept_measures(config_, flat_topology({0, 1})).has_value());
}

TEST_F(Kept, MeasuresOfFewerProcessorsLeaveThoseOfMore) {
  ASSERT_TRUE(keep_measures(config_, topology_, measures_).ok());
  Measures fewer = measures_;
  fewer.pairs = {{0, 1, 100, 40}};
  ASSERT_TRUE(keep_measures(config_, flat_topology({0, 1}), fewer).ok());
  EXPECT_EQ(measures_text(kept_measures(config_, topology_).value()), measures_text(measures_));
  EXPECT_TRUE(kept_measures(config_, flat_topology({0, 1})).has_value());
}

TEST_F(Kept, IncompleteMeasuresAreNotKept) {
  measures_.pairs.back().line_ns = 0;
  ASSERT_TRUE(keep_measures(config_, topology_, measures_).ok());
  EXPECT_FALSE(kept_measures(config_, topology_).has_value());
}

TEST_F(Kept, MeasuresOfAnotherBootAreForgotten) {
  ASSERT_TRUE(keep_measures(config_, topology_, measures_).ok());
  spoil("\nboot ", "\nboot 0");
  EXPECT_FALSE(kept_measures(config_, topology_).has_value());
}

TEST_F(Kept, MeasuresThatWereSpoiledAreNone) {
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"pair 0 1", "pair 0"},
                                                        {"44.250", "nan"},
                                                        {"44.250", "-1"},
                                                        {"44.250", "1e300"},
                                                        {"pair 0 1", "riap 0 1"},
                                                        {"\nend\n", "\n"},
                                                        {"measures 1", "measures 2"}}) {
    ASSERT_TRUE(keep_measures(config_, topology_, measures_).ok());
    spoil(from, to);
    EXPECT_FALSE(kept_measures(config_, topology_).has_value()) << from << " -> " << to;
  }
}

TEST(MeasuresText, ShowsAMatrixOfWhatWasMeasured) {
  Measures measures;
  measures.pairs = {{0, 2, 181.5, 44}, {0, 4, 90, 7.25}};
  measures.wake_same_us = 4;
  EXPECT_EQ(measures_text(measures),
            "cache line there and back, ns, between processors\n"
            "               0       2       4\n"
            "       0             182      90\n"
            "       2     182               -\n"
            "       4      90       -        \n"
            "wake-up there and back, us, between processors\n"
            "               0       2       4\n"
            "       0              44     7.2\n"
            "       2      44               -\n"
            "       4     7.2       -        \n"
            "the same on one processor, us      4.0\n"
            "a sleep of 100 us ends late by, us        -, at most       -\n");
}

}  // namespace
}  // namespace abuzz::place
