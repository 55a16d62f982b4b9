#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "bus/error.hpp"

namespace abuzz::base {

// A file of which one process at a time can be the holder. The kernel lets go of it when the
// process ends, however it ends. The file itself stays: who unlinked it could let two processes in.
//
// Threads: one. Cost: a system call each. Not inherited by exec; a child that only forked holds the
// lock together with its parent.
class FileLock {
 public:
  FileLock() noexcept = default;
  FileLock(FileLock&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), is_held_(std::exchange(other.is_held_, false)) {}
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock() { close(); }

  // Creates the file when it is missing. Takes nothing yet.
  static Result<FileLock> open(const std::string& path);
  bool try_take() noexcept;
  void release() noexcept;
  void close() noexcept;
  bool is_held() const noexcept { return is_held_; }
  // Whether it is still this file that has the path: its directory may have been removed, and made
  // anew by somebody else.
  bool is_at(const std::string& path) const noexcept;
  // A text for people who look into the file, e.g. a pid. Requires: is_held().
  void write_note(std::string_view note) noexcept;

 private:
  int fd_ = -1;
  bool is_held_ = false;
};

}  // namespace abuzz::base
