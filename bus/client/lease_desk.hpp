#pragma once

#include <cstdint>
#include <memory>

#include "bus/base/position.hpp"
#include "bus/base/units.hpp"
#include "bus/message.hpp"
#include "bus/wire/control.hpp"

namespace abuzz::client {

class AgentCore;
class SubscriptionCore;

// Where words about the leased messages of one subscription are said: inside its handler, where
// acknowledgements of messages in a row become one word, and later through a LeaseHandle.
//
// Threads: ack and flush by the consumer (inside a handler, or between two), or by any where
// handlers run beside each other: then each acknowledgement is a word; say by any.
// Ownership: shared by the subscription and its leases. `agent` and `core` outlive every handler;
// leases that outlive the agent find that it is gone.
class LeaseDesk : public std::enable_shared_from_this<LeaseDesk> {
 public:
  LeaseDesk(AgentCore& agent, std::weak_ptr<AgentCore> owner,
            std::weak_ptr<SubscriptionCore> subscription, base::Nanos timeout, bool is_shared);

  using Place = MessageView::LeasePlace;
  LeaseStatus ack(const Place& place);
  // Tells what ack has gathered. Call when the consumer has handled some messages.
  void flush();
  LeaseStatus say(const Place& place, wire::LeaseWord word, std::uint32_t delay_ms);
  // The same for a lease, which may have outlived the agent.
  LeaseStatus say_later(const Place& place, wire::LeaseWord word, std::uint32_t delay_ms);
  bool is_over(const Place& place) const noexcept;
  // When a lease that is extended now ends.
  base::Nanos deadline() const noexcept;
  base::Nanos timeout() const noexcept { return timeout_; }

 private:
  static bool is_same(const Place& left, const Place& right) noexcept;
  bool has_lapsed(const Place& place) const noexcept;
  LeaseStatus tell(AgentCore& agent, const Place& place, wire::LeaseWord word,
                   std::uint32_t delay_ms, std::uint32_t count);

  AgentCore& agent_;
  const std::weak_ptr<AgentCore> owner_;
  const std::weak_ptr<SubscriptionCore> subscription_;
  const base::Nanos timeout_;
  const bool is_shared_;  // there may be several consumers
  // Consumer: acknowledged in a row, not told yet; and the lease that was extended last.
  Place first_;
  std::uint32_t count_ = 0;
  Place extended_;
};

// What a Lease holds.
class LeaseHandle {
 public:
  LeaseHandle(std::shared_ptr<LeaseDesk> desk, const LeaseDesk::Place& place)
      : desk_(std::move(desk)), place_(place) {}

  LeaseStatus say(wire::LeaseWord word, std::uint32_t delay_ms) {
    const LeaseStatus status = desk_->say_later(place_, word, delay_ms);
    if (status == LeaseStatus::told && word == wire::LeaseWord::in_progress)
      place_.deadline = desk_->deadline();
    return status;
  }
  bool is_held() const noexcept { return !desk_->is_over(place_); }

 private:
  const std::shared_ptr<LeaseDesk> desk_;  // shared: a lease may outlive its subscription
  LeaseDesk::Place place_;
};

}  // namespace abuzz::client
