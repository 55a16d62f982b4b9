#include "tests/scratch.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

namespace abuzz {
namespace {

namespace fs = std::filesystem;

void make_old(const std::string& path) {
  fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(1));
}

TEST(ScratchDirectory, GoesWithAllThatIsInIt) {
  std::string path;
  {
    const ScratchDirectory scratch;
    path = scratch.path();
    fs::create_directories(path + "/a/b");
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(ScratchDirectory, OfAKilledTestIsRemovedByTheNextOne) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const ScratchDirectory scratch;
    const std::string& path = scratch.path();
    fs::create_directory(path + "/run");
    if (::write(ends[1], path.data(), path.size()) < 0) ::_exit(1);
    for (;;) ::pause();
  }
  char name[256] = {};
  ASSERT_GT(::read(ends[0], name, sizeof name - 1), 0);
  const std::string path = name;
  make_old(path);
  ScratchDirectory::sweep();
  EXPECT_TRUE(fs::exists(path)) << "it was still in use";
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ScratchDirectory::sweep();
  EXPECT_FALSE(fs::exists(path));
  for (const int end : ends) ::close(end);
}

}  // namespace
}  // namespace abuzz
