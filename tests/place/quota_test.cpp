#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "bus/placement.hpp"
#include "tests/scratch.hpp"

namespace abuzz {
namespace {

// A root with its own /proc and /sys.
class Quota : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path whole = scratch_.path() + path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text << "\n";
  }
  void mount(const std::string& root, const std::string& point, const std::string& type,
             const std::string& options) {
    mounts_ += "31 23 0:28 " + root + " " + point + " rw,relatime shared:9 - " + type + " " + type +
               " " + options + "\n";
    write("/proc/self/mountinfo", mounts_);
  }
  std::optional<double> quota() const { return read_cpu_quota(scratch_.path()); }

 private:
  const ScratchDirectory scratch_;
  std::string mounts_;
};

TEST_F(Quota, IsNoneWhereNothingCanBeRead) {
  EXPECT_EQ(quota(), std::nullopt);
}

TEST_F(Quota, OfVersion2IsTheTightestUpToTheRoot) {
  mount("/", "/sys/fs/cgroup", "cgroup2", "rw");
  write("/proc/self/cgroup", "0::/a.slice/b.service");
  write("/sys/fs/cgroup/a.slice/b.service/cpu.max", "300000 100000");
  EXPECT_EQ(quota(), 3.0);
  write("/sys/fs/cgroup/a.slice/cpu.max", "150000 100000");
  EXPECT_EQ(quota(), 1.5);
  write("/sys/fs/cgroup/a.slice/b.service/cpu.max", "max 100000");
  EXPECT_EQ(quota(), 1.5);
  write("/sys/fs/cgroup/a.slice/cpu.max", "max 100000");
  EXPECT_EQ(quota(), std::nullopt);
}

TEST_F(Quota, OfVersion1StandsInTwoFiles) {
  mount("/", "/sys/fs/cgroup/cpu,cpuacct", "cgroup", "rw,cpu,cpuacct");
  mount("/", "/sys/fs/cgroup/cpuset", "cgroup", "rw,cpuset");
  write("/proc/self/cgroup", "4:cpuset:/\n3:cpu,cpuacct:/job\n0::/");
  write("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000");
  write("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "-1");
  EXPECT_EQ(quota(), std::nullopt);
  write("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "50000");
  EXPECT_EQ(quota(), 0.5);
}

TEST_F(Quota, OfBothVersionsIsTheTighterOne) {
  mount("/", "/sys/fs/cgroup/cpu", "cgroup", "rw,cpu");
  mount("/", "/sys/fs/cgroup/unified", "cgroup2", "rw");
  write("/proc/self/cgroup", "1:cpu:/one\n0::/two");
  write("/sys/fs/cgroup/cpu/one/cpu.cfs_period_us", "100000");
  write("/sys/fs/cgroup/cpu/one/cpu.cfs_quota_us", "400000");
  write("/sys/fs/cgroup/unified/two/cpu.max", "200000 100000");
  EXPECT_EQ(quota(), 2.0);
}

TEST_F(Quota, InAContainerIsThatOfWhatIsMounted) {
  mount("/docker/abc", "/sys/fs/cgroup/cpu", "cgroup", "rw,cpu");
  write("/proc/self/cgroup", "1:cpu:/docker/abc/inner");
  write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
  write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "700000");
  EXPECT_EQ(quota(), 7.0);
  write("/sys/fs/cgroup/cpu/inner/cpu.cfs_period_us", "100000");
  write("/sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us", "100000");
  EXPECT_EQ(quota(), 1.0);
}

TEST_F(Quota, OfAGroupOutsideTheNamespaceIsThatOfWhatIsMounted) {
  mount("/", "/sys/fs/cgroup", "cgroup2", "rw");
  write("/proc/self/cgroup", "0::/../../other");
  write("/sys/fs/cgroup/cpu.max", "250000 100000");
  EXPECT_EQ(quota(), 2.5);
}

TEST_F(Quota, WithoutMountinfoIsLookedForWhereItUsuallyStands) {
  write("/proc/self/cgroup", "0::/job");
  write("/sys/fs/cgroup/job/cpu.max", "120000 100000");
  EXPECT_EQ(quota(), 1.2);
}

TEST_F(Quota, ThatIsNonsenseIsNone) {
  mount("/", "/sys/fs/cgroup", "cgroup2", "rw");
  write("/proc/self/cgroup", "nonsense\n0::/");
  for (const char* wrong : {"", "0 100000", "100000 0", "-5 100000", "abc def", "100000"}) {
    write("/sys/fs/cgroup/cpu.max", wrong);
    EXPECT_EQ(quota(), std::nullopt) << wrong;
  }
}

}  // namespace
}  // namespace abuzz
