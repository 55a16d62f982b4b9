#pragma once

#include <cstddef>
#include <cstdint>

#include "bus/queue/intake.hpp"
#include "bus/wire/control.hpp"

namespace abuzz::client {

// What an agent's session and its two desks of requests hand each other.
//
// Threads: of `arrived_`, pushed inside the session's combiner, popped by who is inside the desk;
// of `outgoing_` the other way round. Invariants: what does not fit is lost; requesters repeat, and
// have time limits. Cost: made when an agent first asks or replies.
struct RequestMail {
  static constexpr std::size_t acts_max = 256;
  static constexpr std::size_t ends_max = 1024;
  using Acts = queue::Intake<wire::RequestAct, acts_max>;
  using Ends = queue::Intake<wire::ReplyEnd, ends_max>;
  using Receipts = queue::Intake<wire::Receipt, ends_max>;

  // Tells whether the session was given it.
  bool note(wire::RequestAct act) noexcept { return act_arrives.try_push(std::move(act)); }
  bool note(wire::ReplyEnd end) noexcept { return end_arrives.try_push(std::move(end)); }

  bool note(wire::Receipt receipt) noexcept { return receipt_arrives.try_push(std::move(receipt)); }

  Acts arrived_acts{1}, outgoing_acts{1};
  Ends arrived_ends{1};
  Receipts arrived_receipts{1};
  Acts::Producer act_arrives{arrived_acts.producer()}, act_goes{outgoing_acts.producer()};
  Ends::Producer end_arrives{arrived_ends.producer()};
  Receipts::Producer receipt_arrives{arrived_receipts.producer()};
};

}  // namespace abuzz::client
