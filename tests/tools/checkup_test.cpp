#include "tools/checkup.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "tests/scratch.hpp"

namespace abuzz::tools {
namespace {

class Checkup : public ::testing::Test {
 protected:
  void SetUp() override { config_.node.runtime_directory = base_ + "/abuzz"; }
  Finding::Grade grade() const { return check_runtime_directory(config_).front().grade; }

  const ScratchDirectory scratch_;
  const std::string base_ = scratch_.path();
  Config config_;
};

TEST(Meminfo, IsReadInBytes) {
  constexpr std::string_view text = "MemTotal:       100 kB\nMemAvailable:    7 kB\n";
  EXPECT_EQ(parse_meminfo(text, "MemAvailable"), 7168u);
  EXPECT_EQ(parse_meminfo(text, "MemNothing"), std::nullopt);
  EXPECT_EQ(parse_meminfo("MemAvailable: x", "MemAvailable"), std::nullopt);
}

TEST_F(Checkup, TakesADirectoryThatIsOursAlone) {
  EXPECT_EQ(grade(), Finding::Grade::good);  // it does not exist, and can be made
  ASSERT_EQ(::mkdir(config_.node.runtime_directory.c_str(), 0700), 0);
  EXPECT_EQ(grade(), Finding::Grade::good);
}

TEST_F(Checkup, RefusesADirectoryThatOthersMayEnter) {
  ASSERT_EQ(::mkdir(config_.node.runtime_directory.c_str(), 0700), 0);
  ASSERT_EQ(::chmod(config_.node.runtime_directory.c_str(), 0755), 0);
  EXPECT_EQ(grade(), Finding::Grade::bad);
}

TEST_F(Checkup, RefusesASymbolicLink) {
  ASSERT_EQ(::symlink("/tmp", config_.node.runtime_directory.c_str()), 0);
  EXPECT_EQ(grade(), Finding::Grade::bad);
}

TEST_F(Checkup, RefusesAPathTooLongForASocket) {
  config_.node.runtime_directory = "/tmp/" + std::string(120, 'x');
  EXPECT_EQ(grade(), Finding::Grade::bad);
}

TEST_F(Checkup, LeavesNothingBehind) {
  check_leftovers(config_);
  check_node(config_);
  EXPECT_NE(::access(config_.node.runtime_directory.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace abuzz::tools
