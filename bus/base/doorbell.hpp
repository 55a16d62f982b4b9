#pragma once

#include <atomic>

namespace abuzz::base {

// A wake-up that can stand in poll(2) beside sockets: an eventfd that is written only while its
// owner says that it is about to sleep.
//
// Owner: `arm(); bool heard = false; if (no work is there) heard = fd() is readable after poll;
//         disarm(heard);`
// Others: make the work visible, then ring().
//
// Threads: one owner, any ringers. Ownership: must outlive its ringers.
// Invariants: work made visible before ring() is seen by the owner's check after arm(), or the
// descriptor becomes readable. arm, disarm and ring exchange one word, so they stand in one order,
// and the work word itself needs no particular order. A descriptor that poll found readable is
// empty after disarm, whatever its ringer does meanwhile: the write that wakes the owner often
// stops the ringer right there, on the same processor, and an owner who waited for its next word
// would spin in its place. A ring that was not polled for ends the next poll, in vain.
// Cost: ring is one locked instruction unless armed, then one write(2).
class Doorbell {
 public:
  Doorbell() noexcept;  // is_open() is false when no descriptor could be had
  ~Doorbell();
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  bool is_open() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }
  void arm() noexcept;
  // `was_heard`: the descriptor was found readable since arm(); it is emptied.
  void disarm(bool was_heard) noexcept;
  void ring() noexcept;
  void ring_always() noexcept;  // also from a signal handler; makes the next poll return

 private:
  void write_bell() noexcept;

  // Constant after construction.
  int fd_;
  // Shared: raised by arm, lowered by disarm and by the ringer who then writes the descriptor.
  // Each exchange publishes what its thread did before it.
  std::atomic<bool> armed_{false};
};

}  // namespace abuzz::base
