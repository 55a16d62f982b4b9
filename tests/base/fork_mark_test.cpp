#include "bus/base/fork_mark.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace abuzz::base {
namespace {

TEST(ForkMark, IsSetInAChildAndInItsChildrenOnly) {
  const ForkMark mark;
  EXPECT_FALSE(mark.is_forked());
  const pid_t child = fork();
  if (child == 0) {
    const ForkMark own;
    const pid_t grandchild = fork();
    if (grandchild == 0) _exit(mark.is_forked() && own.is_forked() ? 0 : 1);
    int status = 1;
    waitpid(grandchild, &status, 0);
    _exit(mark.is_forked() && !own.is_forked() && status == 0 ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(mark.is_forked());
}

}  // namespace
}  // namespace abuzz::base
