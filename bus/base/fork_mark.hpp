#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

namespace abuzz::base {

// Tells the process that made it from a child that it forked: threads and sockets belong to the
// former, the memory that names them is in both.
//
// Threads: any. Ownership: none. Invariants: the kernel wipes the word in a child (MADV_WIPEONFORK,
// Linux 4.14), before the child runs, so nobody writes it after construction.
// Cost: is_forked is one load; where the kernel cannot wipe, one getpid(2).
class ForkMark {
 public:
  ForkMark() noexcept;
  ~ForkMark();
  ForkMark(const ForkMark&) = delete;
  ForkMark& operator=(const ForkMark&) = delete;

  bool is_forked() const noexcept {
    // Relaxed: one thread is in the child when it begins, and it has seen the kernel's wipe.
    if (word_ != nullptr) return word_->load(std::memory_order_relaxed) == 0;
    return is_other_process();
  }

 private:
  bool is_other_process() const noexcept;

  // Constant after construction.
  const pid_t pid_;
  std::atomic<std::uint32_t>* word_ = nullptr;  // in a page of its own
};

}  // namespace abuzz::base
