#include <sys/mman.h>
#include <unistd.h>

#include "bus/base/check.hpp"
#include "bus/mem/pool.hpp"

namespace abuzz::mem {

namespace {

std::size_t whole_pages(std::size_t bytes) noexcept {
  return base::align_up(bytes, static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
}

}  // namespace

std::byte* ProcessMemory::obtain(std::size_t bytes) noexcept {
  const std::size_t mapped_bytes = whole_pages(bytes);
  // NORESERVE: a slab is address space, and only the pages that are used become memory.
  void* const memory = mmap(nullptr, mapped_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  // Neighbouring slabs merge into one mapping; a huge page there would make one touched byte cost
  // 2 MiB. Advice only: where the kernel has no huge pages it is refused, and not needed.
  static_cast<void>(madvise(memory, mapped_bytes, MADV_NOHUGEPAGE));
  return static_cast<std::byte*>(memory);
}

void ProcessMemory::give_back(std::byte* memory, std::size_t bytes) noexcept {
  ABUZZ_CHECK(munmap(memory, whole_pages(bytes)) == 0);
}

void ProcessMemory::rest(std::byte* memory, std::size_t bytes) noexcept {
  // Refused only for locked pages (mlockall): then they stay, which is what their owner asked for.
  static_cast<void>(madvise(memory, whole_pages(bytes), MADV_DONTNEED));
}

}  // namespace abuzz::mem
