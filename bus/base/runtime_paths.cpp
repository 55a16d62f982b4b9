#include "bus/base/runtime_paths.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace abuzz::base {
namespace {

// Longer than any name in the directory: shard-<32 bits>-<16 bits>.ipc
constexpr std::string_view longest_name = "/shard-4294967295-65535.ipc";

std::string absolute(std::string_view directory) {
  std::string path(directory);
  if (path.empty() || path.front() != '/') {
    char* current = getcwd(nullptr, 0);
    if (current != nullptr) path = std::string(current) + "/" + path;
    std::free(current);
  }
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

Failure unsafe(const RuntimePaths& paths, const std::string& why) {
  return Failure{Error::runtime_directory_unsafe, paths.directory + " " + why};
}

Status check_lengths(const RuntimePaths& paths) {
  const std::size_t bytes_max = socket_path_bytes_max - longest_name.size();
  if (paths.directory.size() <= bytes_max) return Done{};
  return Failure{Error::path_too_long,
                 paths.directory + " has " + std::to_string(paths.directory.size()) +
                     " bytes, a runtime directory may have " + std::to_string(bytes_max)};
}

// Makes the last part of the path where it is missing, for this user alone. Its parent belongs to
// the system (XDG_RUNTIME_DIR is made at login) or to who configured it.
Status create_directory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0) {
    // An unusual umask may have taken bits that the owner needs.
    if (chmod(path.c_str(), 0700) != 0) return path_failure("chmod", path, errno);
    return Done{};
  }
  // What is there is checked later, also where nothing may be made beside it.
  const int cause = errno;
  struct stat status;
  if (lstat(path.c_str(), &status) == 0) return Done{};
  const std::string parent = path.substr(0, path.rfind('/'));
  if (cause != ENOENT || parent.empty()) return path_failure("mkdir", path, cause);
  return Failure{Error::system, "mkdir " + path + ": " + parent +
                                    " does not exist; it comes from XDG_RUNTIME_DIR or "
                                    "node.runtime_directory, and is not Abuzz's to make"};
}

}  // namespace

RuntimePaths::RuntimePaths(std::string_view runtime_directory)
    : directory(absolute(runtime_directory)),
      node_lock(directory + "/node.lock"),
      start_lock(directory + "/start.lock"),
      door(directory + "/door"),
      state(directory + "/node.state"),
      counters(directory + "/node.counters"),
      log(directory + "/node.log"),
      agents(directory + "/agents"),
      measures(directory + "/machine.measures") {}

std::string RuntimePaths::shard_socket(std::uint32_t node_epoch, std::uint32_t index) const {
  return directory + "/shard-" + std::to_string(node_epoch) + "-" + std::to_string(index) + ".ipc";
}

Status check_runtime_directory(const RuntimePaths& paths) {
  Status lengths = check_lengths(paths);
  if (!lengths.ok()) return lengths;
  struct stat status;
  if (lstat(paths.directory.c_str(), &status) != 0) {
    if (errno == ENOENT) return Failure{Error::no_node, paths.directory + " does not exist"};
    return path_failure("lstat", paths.directory, errno);
  }
  if (S_ISLNK(status.st_mode)) return unsafe(paths, "is a symbolic link");
  if (!S_ISDIR(status.st_mode)) return unsafe(paths, "is not a directory");
  if (status.st_uid != geteuid()) {
    return unsafe(paths, "belongs to uid " + std::to_string(status.st_uid) + ", not to uid " +
                             std::to_string(geteuid()));
  }
  if ((status.st_mode & 077) != 0) {
    char mode[8];
    std::snprintf(mode, sizeof mode, "0%o", static_cast<unsigned>(status.st_mode & 0777));
    return unsafe(paths, std::string("has mode ") + mode + ", it must be 0700");
  }
  return Done{};
}

Status prepare_runtime_directory(const RuntimePaths& paths) {
  Status lengths = check_lengths(paths);
  if (!lengths.ok()) return lengths;
  Status created = create_directory(paths.directory);
  if (!created.ok()) return created;
  return check_runtime_directory(paths);
}

bool is_managed_node_expected(const RuntimePaths& paths) {
  const std::string text = "\n" + read_small_file(paths.state, 4096);
  return text.find("\n" + std::string(managed_line) + "\n") != std::string::npos;
}

Failure path_failure(const char* call, const std::string& path, int error_number) {
  Error error = Error::system;
  if (error_number == EMFILE || error_number == ENFILE) error = Error::descriptors;
  if (error_number == ENOMEM) error = Error::out_of_memory;
  return Failure{
      error, std::string(call) + " " + path + ": " + std::generic_category().message(error_number)};
}

std::string read_small_file(const std::string& path, std::size_t bytes_max) {
  std::string text;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return text;
  struct stat status;
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid()) {
    const auto bytes = static_cast<std::size_t>(status.st_size);
    const std::size_t wanted = bytes < bytes_max ? bytes : bytes_max;
    text.resize(wanted);
    const ssize_t got = pread(fd, text.data(), wanted, static_cast<off_t>(bytes - wanted));
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  }
  close(fd);
  return text;
}

Status replace_small_file(const std::string& path, std::string_view text) {
  const std::string beside = path + ".new";
  unlink(beside.c_str());  // of a start that was cut short
  const int fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return path_failure("open", beside, errno);
  const ssize_t written = write(fd, text.data(), text.size());
  const bool complete = written == static_cast<ssize_t>(text.size());
  const int cause = written < 0 ? errno : ENOSPC;
  const bool durable = complete && fsync(fd) == 0;
  const int sync_cause = errno;
  close(fd);
  if (!complete) return path_failure("write", beside, cause);
  if (!durable) return path_failure("fsync", beside, sync_cause);
  if (rename(beside.c_str(), path.c_str()) != 0) return path_failure("rename", path, errno);
  const std::string directory = path.substr(0, path.rfind('/'));
  const int directory_fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory_fd < 0) return path_failure("open", directory, errno);
  // Some filesystems cannot sync a directory; then the rename is as durable as it gets.
  fsync(directory_fd);
  close(directory_fd);
  return Done{};
}

}  // namespace abuzz::base
