#include "bus/base/fork_mark.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <new>

namespace abuzz::base {

namespace {

std::size_t page_bytes() noexcept {
  return static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

ForkMark::ForkMark() noexcept : pid_(getpid()) {
  void* const page =
      mmap(nullptr, page_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return;
  if (madvise(page, page_bytes(), MADV_WIPEONFORK) != 0) {
    munmap(page, page_bytes());
    return;
  }
  word_ = new (page) std::atomic<std::uint32_t>(1);
}

ForkMark::~ForkMark() {
  if (word_ != nullptr) munmap(word_, page_bytes());
}

bool ForkMark::is_other_process() const noexcept {
  return getpid() != pid_;
}

}  // namespace abuzz::base
