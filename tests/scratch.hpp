#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace abuzz {

// A directory of one test, removed with all that is in it. A test that is killed cannot do that:
// each holds a lock on its directory while it lives, and the next test program removes those that
// nobody holds. In a forked child it is the parent's.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    static const bool is_swept = sweep();
    static_cast<void>(is_swept);
    path_ = std::filesystem::temp_directory_path().string();
    path_.append("/").append(prefix).append("XXXXXX");
    if (::mkdtemp(path_.data()) == nullptr) ::abort();
    lock_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ::flock(lock_, LOCK_SH);
  }
  ~ScratchDirectory() {
    ::close(lock_);
    if (::getpid() == owner_) remove(path_);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::string& path() const noexcept { return path_; }

  // Answers true. What nobody holds is removed once a process before anything is made.
  static bool sweep() {
    std::error_code fault;
    const auto folder = std::filesystem::temp_directory_path(fault);
    for (const auto& entry : std::filesystem::directory_iterator(folder, fault)) {
      if (!entry.path().filename().string().starts_with(prefix)) continue;
      if (is_left_behind(entry)) remove(entry.path());
    }
    return true;
  }

 private:
  static constexpr std::string_view prefix = "abuzz-scratch-";

  static void remove(const std::filesystem::path& path) {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  // Only what is older than a minute: a new one may not have its lock yet.
  static bool is_left_behind(const std::filesystem::directory_entry& entry) {
    std::error_code fault;
    const auto age = std::filesystem::file_time_type::clock::now() - entry.last_write_time(fault);
    if (fault || age < std::chrono::minutes(1)) return false;
    const int lock = ::open(entry.path().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const bool is_free = lock >= 0 && ::flock(lock, LOCK_EX | LOCK_NB) == 0;
    if (lock >= 0) ::close(lock);
    return is_free;
  }

  std::string path_;
  int lock_ = -1;
  const pid_t owner_ = ::getpid();
};

}  // namespace abuzz
