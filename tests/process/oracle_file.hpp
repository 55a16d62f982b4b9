#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

// What a program of these tests did, as it happens, outside of the bus: records of two words in a
// mapped file, of which oracle.py makes its judgement. What was written stays when the process is
// killed in the next instant. The file is a page with the count in front, and the records.
//
// Threads: one. Cost: a few stores a record; a system call for each megabyte, of which only the
// last is mapped, so that the file does not count as memory of the process.

namespace abuzz::testing {

class OracleFile {
 public:
  struct Record {
    std::uint64_t id, value;
  };

  explicit OracleFile(const char* path) : file_(::open(path, O_RDWR | O_CREAT | O_EXCL, 0600)) {
    if (file_ < 0 || ::ftruncate(file_, head_bytes) != 0) fail(path);
    count_ = static_cast<std::atomic<std::uint64_t>*>(map(0, head_bytes));
  }
  ~OracleFile() {
    if (window_ != nullptr) ::munmap(window_, window_bytes);
    ::munmap(count_, head_bytes);
    ::close(file_);
  }
  OracleFile(const OracleFile&) = delete;
  OracleFile& operator=(const OracleFile&) = delete;

  void append(Record record) {
    const std::uint64_t index = count_->load(std::memory_order_relaxed);
    if (index % window_records == 0 && index != taken_back_at_) open_window(index);
    window_[index % window_records] = record;
    // Release: who sees the count sees the record. A killed process leaves both or neither.
    count_->store(index + 1, std::memory_order_release);
  }
  // The last record did not happen after all. Requires: there is one, not taken back.
  void take_back() {
    taken_back_at_ = count_->load(std::memory_order_relaxed) - 1;
    count_->store(taken_back_at_, std::memory_order_release);
  }

 private:
  static constexpr std::size_t head_bytes = 4096;
  static constexpr std::size_t window_bytes = 1u << 20;
  static constexpr std::size_t window_records = window_bytes / sizeof(Record);

  [[noreturn]] static void fail(const char* what) {
    std::perror(what);
    std::_Exit(1);
  }
  void* map(std::size_t offset, std::size_t bytes) {
    void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_,
                      static_cast<off_t>(offset));
    if (at == MAP_FAILED) fail("mmap");
    return at;
  }
  void open_window(std::uint64_t index) {
    if (window_ != nullptr) ::munmap(window_, window_bytes);
    const std::size_t offset = head_bytes + index * sizeof(Record);
    if (::ftruncate(file_, static_cast<off_t>(offset + window_bytes)) != 0) fail("ftruncate");
    window_ = static_cast<Record*>(map(offset, window_bytes));
  }

  const int file_;
  std::atomic<std::uint64_t>* count_;
  Record* window_ = nullptr;
  // The window of this record is open already.
  std::uint64_t taken_back_at_ = ~std::uint64_t{0};
};

}  // namespace abuzz::testing
