#include "bus/node/host.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/node/descriptors.hpp"
#include "bus/node/process_watch.hpp"
#include "bus/stats.hpp"
#include "tests/node/temporary_directory.hpp"

namespace abuzz::node::test {
namespace {

class BeatFiles : public testing::Test {
 protected:
  BeatFiles() { mkdir(paths_.agents.c_str(), 0700); }
  std::unique_ptr<StatsFile> create(const std::string& name) {
    return StatsFile::create(paths_.agents + "/" + name, {}, 8).value();
  }

  TemporaryDirectory directory_;
  const base::RuntimePaths paths_{directory_ / "."};
  SystemHost host_{paths_};
  static std::uint32_t pid() { return static_cast<std::uint32_t>(getpid()); }
};

TEST_F(BeatFiles, are_read_where_the_counter_stands) {
  auto file = create("alice");
  ASSERT_TRUE(host_.open_beat(1, "alice", pid()));
  EXPECT_EQ(host_.read_beat(1), 0U);
  file->process().set(ProcessCounter::beat_ns, 123'456'789'012);
  EXPECT_EQ(host_.read_beat(1), 123'456'789'012U);
  EXPECT_FALSE(host_.is_process_gone(1));
  EXPECT_EQ(host_.read_beat(2), 0U) << "of a session that named no file";
}

TEST_F(BeatFiles, are_plain_files_inside_their_folder) {
  create("alice");
  write_text(directory_ / "outside", std::string(8192, 'x'));
  ASSERT_EQ(symlink((paths_.agents + "/alice").c_str(), (paths_.agents + "/link").c_str()), 0);
  mkdir((paths_.agents + "/folder").c_str(), 0700);
  mkfifo((paths_.agents + "/fifo").c_str(), 0600);
  write_text(paths_.agents + "/short", "x");
  for (const char* name : {"../outside", "/etc/passwd", "", ".", "..", ".hidden", "a b", "link",
                           "folder", "fifo", "short", "missing"}) {
    EXPECT_FALSE(host_.open_beat(1, name, pid())) << name;
  }
  EXPECT_TRUE(host_.open_beat(1, "alice", pid()));
  EXPECT_FALSE(host_.open_beat(2, "alice", pid())) << "another session has it";
}

TEST_F(BeatFiles, that_are_cut_short_read_as_no_beat) {
  auto file = create("alice");
  file->process().set(ProcessCounter::beat_ns, 5);
  ASSERT_TRUE(host_.open_beat(1, "alice", pid()));
  ASSERT_EQ(truncate((paths_.agents + "/alice").c_str(), 100), 0);
  EXPECT_EQ(host_.read_beat(1), 0U);
}

TEST_F(BeatFiles, go_with_their_process_and_not_with_a_session) {
  create("alice");
  create("bob");
  int hold[2];
  ASSERT_EQ(pipe(hold), 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte;
    close(hold[1]);
    _exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
  }
  close(hold[0]);
  ASSERT_TRUE(host_.open_beat(1, "alice", pid()));
  ASSERT_TRUE(host_.open_beat(2, "bob", static_cast<std::uint32_t>(child)));
  host_.close_beat(1);
  host_.close_beat(2);
  EXPECT_TRUE(host_.sweep_beat_files());
  EXPECT_TRUE(exists(paths_.agents + "/bob"));
  ASSERT_TRUE(host_.open_beat(3, "bob", static_cast<std::uint32_t>(child))) << "it came back";
  EXPECT_FALSE(host_.is_process_gone(3));
  close(hold[1]);
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  EXPECT_TRUE(host_.is_process_gone(3)) << "a zombie is gone";
  host_.close_beat(3);
  EXPECT_TRUE(host_.sweep_beat_files()) << "alice lives";
  EXPECT_FALSE(exists(paths_.agents + "/bob"));
  EXPECT_TRUE(exists(paths_.agents + "/alice"));
  waitpid(child, nullptr, 0);
}

TEST_F(BeatFiles, the_start_lock_is_taken_only_when_it_is_free) {
  base::FileLock other = base::FileLock::open(paths_.start_lock).value();
  ASSERT_TRUE(other.try_take());
  EXPECT_FALSE(host_.try_take_start_lock());
  other.release();
  EXPECT_TRUE(host_.try_take_start_lock());
  EXPECT_FALSE(other.try_take());
  host_.release_start_lock();
  EXPECT_TRUE(other.try_take());
}

TEST(ProcessWatch, knows_this_process_and_no_other) {
  const auto pid = static_cast<std::uint32_t>(getpid());
  const std::uint64_t ticks = read_start_ticks(pid);
  EXPECT_NE(ticks, 0U);
  EXPECT_TRUE(is_process_alive(pid, ticks));
  EXPECT_FALSE(is_process_alive(pid, ticks + 1)) << "another process with the same pid";
  EXPECT_FALSE(is_process_alive(pid, 0));
  EXPECT_EQ(read_start_ticks(0x7fff'ffff), 0U);
}

TEST(Descriptors, are_counted_as_they_are_opened) {
  const std::size_t before = count_descriptors_left();
  const int fd = dup(0);
  EXPECT_EQ(count_descriptors_left(), before - 1);
  close(fd);
  EXPECT_EQ(count_descriptors_left(), before);
}

TEST(Descriptors, end_admissions_well_before_none_is_left) {
  const TemporaryDirectory directory;
  const base::RuntimePaths paths(directory / ".");
  SystemHost host(paths);
  ASSERT_TRUE(host.has_descriptors_for_session());
  rlimit before;
  getrlimit(RLIMIT_NOFILE, &before);
  const std::size_t used = before.rlim_cur - count_descriptors_left();
  rlimit low = before;
  low.rlim_cur = used + descriptors_kept_back + 2 * descriptors_per_session;
  setrlimit(RLIMIT_NOFILE, &low);
  SystemHost tight(paths);
  EXPECT_TRUE(tight.has_descriptors_for_session());
  EXPECT_TRUE(tight.has_descriptors_for_session());
  // What the two were promised, they take.
  int taken[2 * descriptors_per_session];
  for (int& fd : taken) fd = dup(0);
  EXPECT_FALSE(tight.has_descriptors_for_session());
  for (const int fd : taken) close(fd);
  EXPECT_TRUE(tight.has_descriptors_for_session());
  setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace abuzz::node::test
