#include "bus/node/peer_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace abuzz::node::test {
namespace {

using base::millisecond;
using base::second;
using testing::ElementsAre;
using testing::HasSubstr;

class PeerLogTest : public testing::Test {
 protected:
  PeerLog open() {
    return PeerLog(config_, [this](std::string_view line) { lines_.emplace_back(line); });
  }
  LogConfig config_;
  std::vector<std::string> lines_;
};

TEST_F(PeerLogTest, ten_lines_a_second_and_the_number_of_the_others) {
  PeerLog log = open();
  for (int line = 0; line < 1000; ++line) {
    log.write(LogLevel::info, "line", 5 * second + line * millisecond / 2);
  }
  EXPECT_EQ(lines_.size(), 10U);
  EXPECT_EQ(log.next_deadline(), 6 * second);
  EXPECT_EQ(log.do_work(6 * second - 1), 0U);
  EXPECT_EQ(log.do_work(6 * second), 1U);
  EXPECT_THAT(lines_.back(), HasSubstr("warn 990 more lines"));
  EXPECT_LT(log.next_deadline(), 0);
  // Its own line counts too.
  for (int line = 0; line < 20; ++line) log.write(LogLevel::info, "line", 6 * second);
  EXPECT_EQ(lines_.size(), 20U);
}

TEST_F(PeerLogTest, a_line_in_the_next_second_comes_after_the_number_of_those_left_out) {
  PeerLog log = open();
  for (int line = 0; line < 11; ++line) log.write(LogLevel::info, "first", second);
  log.write(LogLevel::info, "next", 3 * second);
  ASSERT_EQ(lines_.size(), 12U);
  EXPECT_THAT(lines_[10], HasSubstr("1 more lines"));
  EXPECT_EQ(lines_[11], "info next");
}

TEST_F(PeerLogTest, what_was_left_out_is_told_at_the_end) {
  PeerLog log = open();
  for (int line = 0; line < 12; ++line) log.write(LogLevel::info, "line", second);
  log.finish(second + millisecond);
  EXPECT_THAT(lines_.back(), HasSubstr("2 more lines"));
}

TEST_F(PeerLogTest, the_level_and_0_lines_are_obeyed) {
  config_.level = "warn";
  PeerLog log = open();
  log.write(LogLevel::info, "no", second);
  log.write(LogLevel::warn, "yes", second);
  EXPECT_THAT(lines_, ElementsAre("warn yes"));
  config_.peer_lines_per_second = 0;
  PeerLog silent = open();
  silent.write(LogLevel::error, "no", second);
  EXPECT_EQ(lines_.size(), 1U);
  EXPECT_LT(silent.next_deadline(), 0);
}

TEST_F(PeerLogTest, nothing_that_a_terminal_obeys_comes_through) {
  EXPECT_EQ(escape_line("a\n\x1b[2J\x7f\xc2\x9b'"), "a\\x0a\\x1b[2J\\x7f\\xc2\\x9b'");
  EXPECT_LT(escape_line(std::string(100'000, '\n')).size(), 500U);
}

TEST_F(PeerLogTest, without_a_sink_it_is_silent) {
  PeerLog log(config_, {});
  EXPECT_FALSE(log.takes(LogLevel::error));
  log.write(LogLevel::error, "x", second);
  log.finish(second);
}

}  // namespace
}  // namespace abuzz::node::test
