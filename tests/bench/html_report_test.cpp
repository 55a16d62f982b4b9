#include "bench/html_report.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "bench/heritage.hpp"

namespace abuzz::bench {
namespace {

Histogram waves(int count) {
  Histogram histogram;
  for (int value = 1; value <= count; ++value) histogram.record(value * 997 % 1'000'000);
  return histogram;
}

RunResult run_of(const char* scenario, std::size_t bytes, double rate) {
  RunResult run;
  run.plan.scenario = scenario;
  run.plan.system = &abuzz_system;
  run.plan.bytes = bytes;
  run.plan.rate = rate;
  run.expected = run.figures.sent = run.figures.received = 1000;
  run.figures.elapsed_ns = 1'000'000'000;
  run.figures.take(waves(1000));
  run.figures.worst_ns = {5000, 9000, 4000};
  run.processes = {{"hub", 1'000'000, 9000}, {"publisher", 2'000'000, 9000}};
  return run;
}

BenchReport report_of_everything() {
  BenchReport report;
  report.options.command = "abuzz bench all --vs \"<zmq>\"";
  report.options.systems = {"abuzz", "zmq"};
  report.options.sizes = {64, 1024};
  for (const std::size_t bytes : {std::size_t{64}, std::size_t{1024}}) {
    report.runs.push_back(run_of("pubsub", bytes, 0));
    report.runs.push_back(run_of("pubsub", bytes, 500));
    report.runs.push_back(run_of("pingpong", bytes, 0));
  }
  report.runs.push_back(run_of("heritage", 64, 350));
  report.runs.back().plan.load = heritage_loads().data();
  report.runs.push_back(run_of("fanin", 64, 0));
  report.runs.back().figures.lost = 1;
  return report;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Hgrm, EvenAMillionValuesAreAHundredLines) {
  const std::string text = hgrm_of(waves(1'000'000));
  const auto lines = std::count(text.begin(), text.end(), '\n');
  EXPECT_GT(lines, 60);
  EXPECT_LT(lines, 140);
}

TEST(Hgrm, ValuesAndCountsRiseToTheLastOne) {
  std::istringstream text(hgrm_of(waves(10'000)));
  double value = 0, share = 0, value_before = 0, share_before = -1;
  unsigned long long count = 0, count_before = 0;
  int rows = 0;
  for (std::string line; std::getline(text, line);) {
    if (std::sscanf(line.c_str(), " %lf %lf %llu", &value, &share, &count) != 3) continue;
    EXPECT_GE(value, value_before);
    EXPECT_GT(share, share_before);
    EXPECT_GE(count, count_before);
    EXPECT_GE(static_cast<double>(count), share * 10'000 - 1e-6);
    value_before = value;
    share_before = share;
    count_before = count;
    ++rows;
  }
  EXPECT_GT(rows, 20);
  EXPECT_EQ(share, 1);
  EXPECT_EQ(count, 10'000u);
}

class HtmlReportTest : public ::testing::Test {
 protected:
  const std::string page = html_of(report_of_everything());
};

TEST_F(HtmlReportTest, EachElementThatIsOpenedIsClosed) {
  for (const char* name :
       {"svg", "figure", "table", "tr", "td", "th", "text", "div", "ul", "pre"}) {
    const std::string opened = std::string("<") + name;
    EXPECT_EQ(count_of(page, opened + ">") + count_of(page, opened + " "),
              count_of(page, std::string("</") + name + ">"))
        << name;
  }
}

TEST_F(HtmlReportTest, NothingComesFromElsewhere) {
  for (const char* word : {"http:", "https:", "src=", "href=", "@import", "url(", "<script"})
    EXPECT_EQ(page.find(word), page.npos) << word;
}

TEST_F(HtmlReportTest, HasAllItsCharts) {
  for (const char* title :
       {"latency by percentile", "worst latency over time", "p99 over offered load",
        "pubsub over payload size", "us of CPU a message", "million messages received a second"})
    EXPECT_NE(page.find(title), page.npos) << title;
  EXPECT_NE(page.find("Heritage loads"), page.npos);
}

TEST_F(HtmlReportTest, WhatIsNoNumberIsNowhereInAChart) {
  EXPECT_EQ(page.find("nan"), page.npos);
  EXPECT_EQ(page.find("=\"inf"), page.npos);
}

TEST_F(HtmlReportTest, ARunThatWasNotVerifiedHasNoRate) {
  EXPECT_NE(page.find("no rate"), page.npos);
}

TEST_F(HtmlReportTest, WhatTheUserTypedIsText) {
  EXPECT_EQ(page.find("<zmq>"), page.npos);
  EXPECT_NE(page.find("&lt;zmq&gt;"), page.npos);
}

}  // namespace
}  // namespace abuzz::bench
