#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "bus/link/unix_door.hpp"

#include "tests/link/link_bench.hpp"

// What only the real door can get wrong: names, modes, descriptors.

namespace abuzz::link::test {
namespace {

const std::array<std::byte, 5> hello{};

TEST(UnixDoor, ATooLongPathIsRefusedAndNeverCut) {
  const TemporaryDirectory directory;
  const std::string base = directory.path() + "/";
  const std::string longest = base + std::string(107 - base.size(), 'd');
  EXPECT_TRUE(listen_unix_door(longest, {}).ok());
  EXPECT_EQ(listen_unix_door(longest + "d", {}).error(), Error::path_too_long);
  EXPECT_EQ(call_unix_door(longest + "d").error(), Error::path_too_long);
  EXPECT_EQ(call_unix_door("").error(), Error::config_bad_value);
}

TEST(UnixDoor, TheNameIsForItsOwnerOnlyAndGoesWithTheListener) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/door";
  const mode_t mask = ::umask(0);
  auto listener = listen_unix_door(path, {}).value();
  ::umask(mask);
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  // A file that a killed node left behind is no obstacle.
  const auto successor = listen_unix_door(path, {}).value();
  EXPECT_TRUE(call_unix_door(path).ok());
  listener->shut();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(UnixDoor, DescriptorsDoNotSurviveExec) {
  const TemporaryDirectory directory;
  const auto listener = listen_unix_door(directory.path() + "/door", {}).value();
  const auto caller = call_unix_door(directory.path() + "/door").value();
  EXPECT_TRUE(::fcntl(listener->wait_descriptor(), F_GETFD) & FD_CLOEXEC);
  EXPECT_TRUE(::fcntl(caller->wait_descriptor(), F_GETFD) & FD_CLOEXEC);
}

// In a child, whose limit it lowers: accepts until no descriptor is left. Answers an exit code.
int exhaust_descriptors(const std::string& path) {
  auto listener = listen_unix_door(path, {.descriptors_spare = 0}).value();
  std::vector<int> taken;
  for (int descriptor = 0; (descriptor = ::open("/", O_PATH)) >= 0;) taken.push_back(descriptor);
  ::close(taken.back());  // for the caller's end, in this same process
  auto refused = call_unix_door(path);
  if (!refused.ok()) return 1;
  Caller caller;
  std::vector<std::byte> datagram;
  if (listener->try_next(caller, datagram) != DoorListener::Event::none) return 2;
  if (listener->turned_away() != 1) return 3;
  // Nobody waits any more, so the listener sleeps.
  pollfd descriptor{listener->wait_descriptor(), POLLIN, 0};
  if (::poll(&descriptor, 1, 0) != 0) return 4;
  if (refused.value()->try_receive(datagram) != DoorCall::Status::closed) return 5;
  for (const int open : taken) ::close(open);
  const auto late = call_unix_door(path).value();
  if (late->try_send(hello) != DoorCall::Status::done) return 6;
  return listener->try_next(caller, datagram) == DoorListener::Event::datagram ? 0 : 7;
}

TEST(UnixDoor, WithoutDescriptorsCallersAreTurnedAwayAndItSleeps) {
  const TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{64, 64};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::_exit(exhaust_descriptors(directory.path() + "/door"));
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace abuzz::link::test
