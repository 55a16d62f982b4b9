#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "bus/export.hpp"
#include "bus/message.hpp"

namespace abuzz {

namespace client {
class LeaseHandle;
}

// The right to one message of a group with manual acknowledgement, for as long as its handler
// outlives the callback: taken with MessageView::lease(), used on any thread, moved, not copied.
// The message comes to another member when the lease is given back, when its time is over
// (ack_timeout), or when this process ends. Destroyed while it is held: given back.
//
// Words travel with the next frame, within milliseconds; the node has the last word. One that
// comes too late changes nothing there.
// Threads: one at a time. Must end before the agent that received the message is closed; after that
// it is not held any more.
class ABUZZ_EXPORT Lease {
 public:
  Lease() noexcept;  // of nothing
  Lease(Lease&&) noexcept;
  Lease& operator=(Lease&&) noexcept;
  ~Lease();

  // Done: the message counts as delivered. Ends the lease.
  LeaseStatus ack();
  // Given back: the next attempt begins after `delay` (at most an hour). Ends the lease.
  LeaseStatus nak(std::chrono::milliseconds delay);
  // The same, after 100 ms at the first attempt, doubling to 10 s.
  LeaseStatus nak();
  // Its time begins again, until an hour after it began first.
  LeaseStatus in_progress();
  // False once a word ended it, its time was over, or the node that gave it is gone.
  bool is_held() const noexcept;

 private:
  friend class MessageView;
  explicit Lease(std::unique_ptr<client::LeaseHandle> handle) noexcept;
  std::unique_ptr<client::LeaseHandle> handle_;
};

}  // namespace abuzz
