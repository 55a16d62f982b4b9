#pragma once

#include <atomic>

namespace abuzz::base {

// A wake-up that can stand in poll(2) beside sockets: an eventfd that is written only while its
// owner says that it is about to sleep.
//
// Owner: `arm(); if (work is there) disarm(); else poll(fd()); disarm();`
// Others: make the work visible, then ring().
//
// Threads: one owner, any ringers. Cost: ring is one fenced load unless armed, then one write(2).
// Invariants: work made visible before ring() is seen by the owner's check after arm(), or the
// descriptor becomes readable (armed_ and the work word form a store-load pair, both seq_cst).
class Doorbell {
 public:
  Doorbell() noexcept;   // is_open() is false when no descriptor could be had
  ~Doorbell();
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  bool is_open() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }
  void arm() noexcept;
  void disarm() noexcept;   // also empties the descriptor if it was rung
  void ring() noexcept;
  void ring_always() noexcept;  // also from a signal handler; makes the next poll return

 private:
  int fd_;
  std::atomic<bool> armed_{false};
  std::atomic<bool> rung_{false};
};

}  // namespace abuzz::base
