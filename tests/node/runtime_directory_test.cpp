#include "bus/node/runtime_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

#include <filesystem>

#include "bus/link/unix_door.hpp"
#include "bus/stats.hpp"
#include "tests/node/temporary_directory.hpp"

namespace abuzz::node::test {
namespace {

using testing::HasSubstr;

class Directory : public testing::Test {
 protected:
  Result<RuntimeDirectory> occupy() { return RuntimeDirectory::occupy(path_, false); }
  Failure refused() {
    Result<RuntimeDirectory> directory = occupy();
    return directory.ok() ? Failure{} : directory.failure();
  }

  TemporaryDirectory folder_;
  const std::string path_ = folder_ / "abuzz";
};

TEST_F(Directory, is_made_for_this_user_alone) {
  const mode_t before = umask(0);
  const Result<RuntimeDirectory> directory = occupy();
  umask(before);
  ASSERT_TRUE(directory.ok()) << directory.failure().message();
  EXPECT_EQ(mode_of(path_), 0700U);
  EXPECT_EQ(mode_of(path_ + "/agents"), 0700U);
  EXPECT_EQ(mode_of(path_ + "/node.lock"), 0600U);
}

TEST_F(Directory, whose_parent_is_missing_is_refused_and_nothing_is_made) {
  const Result<RuntimeDirectory> directory =
      RuntimeDirectory::occupy(folder_ / "run/user/abuzz", false);
  ASSERT_FALSE(directory.ok());
  EXPECT_EQ(directory.error(), Error::system);
  EXPECT_THAT(directory.failure().detail, HasSubstr(folder_ / "run/user does not exist"));
  EXPECT_THAT(directory.failure().detail, HasSubstr("XDG_RUNTIME_DIR"));
  EXPECT_FALSE(exists(folder_ / "run"));
}

TEST_F(Directory, an_umask_that_takes_everything_does_no_harm) {
  const mode_t before = umask(0777);
  const Result<RuntimeDirectory> directory = occupy();
  umask(before);
  EXPECT_EQ(mode_of(path_), 0700U);
}

TEST_F(Directory, that_others_could_enter_is_refused) {
  ASSERT_TRUE(occupy().ok());
  for (const mode_t mode : {0710, 0701, 0777, 0740}) {
    chmod(path_.c_str(), mode);
    const Failure failure = refused();
    EXPECT_EQ(failure.error, Error::runtime_directory_unsafe);
    EXPECT_THAT(failure.detail, HasSubstr("it must be 0700"));
  }
}

TEST_F(Directory, that_is_a_symbolic_link_is_refused) {
  mkdir((folder_ / "target").c_str(), 0700);
  ASSERT_EQ(symlink((folder_ / "target").c_str(), path_.c_str()), 0);
  EXPECT_THAT(refused().detail, HasSubstr("is a symbolic link"));
  EXPECT_FALSE(exists(folder_ / "target/node.lock"));
}

TEST_F(Directory, that_is_a_file_is_refused) {
  write_text(path_, "");
  EXPECT_THAT(refused().detail, HasSubstr("is not a directory"));
}

TEST_F(Directory, of_another_user_is_refused) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a directory away";
  ASSERT_TRUE(occupy().ok());
  ASSERT_EQ(chown(path_.c_str(), 12345, 12345), 0);
  EXPECT_THAT(refused().detail, HasSubstr("belongs to uid 12345, not to uid 0"));
}

TEST_F(Directory, with_a_name_too_long_for_its_sockets_is_refused) {
  const base::RuntimePaths paths(folder_ / std::string(90, 'x'));
  const Status prepared = base::prepare_runtime_directory(paths);
  EXPECT_EQ(prepared.error(), Error::path_too_long);
  EXPECT_THAT(prepared.failure().detail, HasSubstr("may have 80"));
  EXPECT_FALSE(exists(paths.directory));
  const base::RuntimePaths longest("/" + std::string(79, 'x'));
  EXPECT_EQ(longest.shard_socket(4'294'967'295, 65'535).size(), base::socket_path_bytes_max);
}

TEST_F(Directory, is_checked_without_being_made_for_those_who_only_look) {
  const base::RuntimePaths paths(path_);
  EXPECT_EQ(base::check_runtime_directory(paths).error(), Error::no_node);
  EXPECT_FALSE(exists(path_));
}

TEST_F(Directory, has_one_node_at_a_time) {
  Result<RuntimeDirectory> first = occupy();
  ASSERT_TRUE(first.ok());
  auto door = link::listen_unix_door(first.value().paths().door, {});
  const Failure failure = refused();
  EXPECT_EQ(failure.error, Error::node_already_running);
  EXPECT_THAT(failure.detail, HasSubstr("pid " + std::to_string(getpid())));
  first.value().vacate();
  EXPECT_FALSE(exists(path_ + "/door"));
  EXPECT_TRUE(occupy().ok());
}

TEST_F(Directory, whose_node_is_about_to_be_gone_is_waited_for) {
  ASSERT_TRUE(occupy().ok());
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const Result<RuntimeDirectory> held = occupy();
    [[maybe_unused]] const ssize_t bytes = write(ready[1], "x", held.ok() ? 1 : 0);
    usleep(100'000);
    _exit(0);
  }
  close(ready[1]);
  char byte = 0;
  EXPECT_EQ(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  EXPECT_TRUE(occupy().ok());
  waitpid(child, nullptr, 0);
}

TEST_F(Directory, is_cleared_of_what_a_killed_node_left) {
  ASSERT_TRUE(occupy().ok());
  write_text(path_ + "/door", "");
  write_text(path_ + "/node.counters", "");
  write_text(path_ + "/shard-1-0.ipc", "");
  write_text(path_ + "/note", "not ours");
  Result<RuntimeDirectory> next = occupy();
  ASSERT_TRUE(next.ok());
  EXPECT_FALSE(exists(path_ + "/door"));
  EXPECT_FALSE(exists(path_ + "/node.counters"));
  EXPECT_FALSE(exists(path_ + "/shard-1-0.ipc"));
  EXPECT_TRUE(exists(path_ + "/note"));
  EXPECT_EQ(next.value().identity().node_epoch, 2U);
  EXPECT_EQ(next.value().shard_endpoint(0), "ipc://" + path_ + "/shard-2-0.ipc");
}

TEST_F(Directory, keeps_the_counter_files_of_agents_that_live) {
  ASSERT_TRUE(occupy().ok());
  const std::string alive = path_ + "/agents/alive";
  const std::string dead = path_ + "/agents/dead";
  auto own = StatsFile::create(alive, {}, 8);
  const pid_t child = fork();
  if (child == 0) _exit(StatsFile::create(dead, {}, 8).ok() ? 0 : 1);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  write_text(path_ + "/agents/young", "under construction");
  write_text(path_ + "/agents/old", "rubbish");
  const utimbuf long_ago{1000, 1000};
  utime((path_ + "/agents/old").c_str(), &long_ago);
  ASSERT_TRUE(occupy().ok());
  EXPECT_TRUE(exists(alive));
  EXPECT_FALSE(exists(dead));
  EXPECT_TRUE(exists(path_ + "/agents/young"));
  EXPECT_FALSE(exists(path_ + "/agents/old"));
}

TEST_F(Directory, of_another_node_under_the_same_name_is_left_alone) {
  Result<RuntimeDirectory> removed = occupy();
  ASSERT_TRUE(removed.ok());
  std::filesystem::remove_all(path_);
  Result<RuntimeDirectory> next = occupy();
  ASSERT_TRUE(next.ok());
  write_text(path_ + "/door", "");
  removed.value().vacate();
  EXPECT_TRUE(exists(path_ + "/door"));
  next.value().vacate();
  EXPECT_FALSE(exists(path_ + "/door"));
}

}  // namespace
}  // namespace abuzz::node::test
