#include "bus/base/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "bus/base/check.hpp"
#include "bus/base/runtime_paths.hpp"

namespace abuzz::base {

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    is_held_ = std::exchange(other.is_held_, false);
  }
  return *this;
}

Result<FileLock> FileLock::open(const std::string& path) {
  FileLock lock;
  lock.fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (lock.fd_ < 0) return path_failure("open", path, errno);
  return Result<FileLock>(std::move(lock));
}

bool FileLock::try_take() noexcept {
  if (!is_held_) is_held_ = flock(fd_, LOCK_EX | LOCK_NB) == 0;
  return is_held_;
}

void FileLock::release() noexcept {
  if (is_held_) flock(fd_, LOCK_UN);
  is_held_ = false;
}

void FileLock::close() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  is_held_ = false;
}

bool FileLock::is_at(const std::string& path) const noexcept {
  struct stat ours, there;
  return fstat(fd_, &ours) == 0 && stat(path.c_str(), &there) == 0 && ours.st_dev == there.st_dev &&
         ours.st_ino == there.st_ino;
}

void FileLock::write_note(std::string_view note) noexcept {
  ABUZZ_CHECK(is_held_);
  // For people only: a note that cannot be written is no reason to give the lock up.
  if (ftruncate(fd_, 0) != 0) return;
  [[maybe_unused]] const ssize_t bytes = pwrite(fd_, note.data(), note.size(), 0);
}

}  // namespace abuzz::base
