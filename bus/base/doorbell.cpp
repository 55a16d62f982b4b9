#include "bus/base/doorbell.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace abuzz::base {

static_assert(std::atomic<bool>::is_always_lock_free, "ring_always runs in signal handlers");

Doorbell::Doorbell() noexcept : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Doorbell::~Doorbell() {
  if (fd_ >= 0) close(fd_);
}

void Doorbell::arm() noexcept {
  // Pairs with ring: as both are read-modify-writes of one word they stand in one order. Either the
  // ringer sees armed_, or this sees the ringer's exchange and so the work that came before it.
  // The seq_cst pair (armed_, work word) also holds for callers whose work word is seq_cst.
  armed_.exchange(true, std::memory_order_seq_cst);
}

void Doorbell::disarm(bool was_heard) noexcept {
  // Pairs with ring: who rang since arm() has made its work visible.
  armed_.exchange(false, std::memory_order_seq_cst);
  if (!was_heard) return;
  std::uint64_t count;
  [[maybe_unused]] const ssize_t bytes = read(fd_, &count, sizeof count);
}

void Doorbell::ring() noexcept {
  // Pairs with arm and disarm. Lowering the flag makes one writer of many ringers.
  if (armed_.exchange(false, std::memory_order_seq_cst)) write_bell();
}

void Doorbell::ring_always() noexcept {
  armed_.exchange(false, std::memory_order_seq_cst);  // Pairs with arm and disarm.
  write_bell();
}

void Doorbell::write_bell() noexcept {
  const int saved_errno = errno;  // The interrupted code may be about to read it.
  const std::uint64_t one = 1;
  // EAGAIN means that the counter is full: then the descriptor is readable anyway.
  [[maybe_unused]] const ssize_t bytes = write(fd_, &one, sizeof one);
  errno = saved_errno;
}

}  // namespace abuzz::base
