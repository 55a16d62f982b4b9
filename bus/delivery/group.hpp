#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/delivery/dealer.hpp"
#include "bus/delivery/delays.hpp"
#include "bus/delivery/lane_turn.hpp"
#include "bus/delivery/leases.hpp"
#include "bus/delivery/records.hpp"

namespace abuzz::delivery {

// What all members of a group have in common.
struct GroupTerms {
  GroupMode mode = GroupMode::least_outstanding;
  Policy policy = Policy::lossless;
  base::Nanos ack_timeout = 0;  // 0: what was handled is acknowledged
  std::uint32_t attempts_max = 1;

  friend bool operator==(const GroupTerms&, const GroupTerms&) = default;
};

// A message in chunks: the pieces before the last, which has the message.
struct Train {
  std::vector<Routed*> pieces;
};

// Subscriptions of several agents that share the work: each message that matches the pattern goes
// to one of them, and to another one when that dies, gives it back or lets its time pass.
//
// To publishers a group is one subscription: `own` has the pairs, the bounds and the queue, and
// stands on the node's own port. What was dealt stands in the lines of the members' subscriptions;
// entries there only carry, and hold the bytes. The lots hold everything else: until a message is
// resolved, its batch is not settled for the publisher.
//
// | a message is | event                          | next                                          |
// |--------------|--------------------------------|-----------------------------------------------|
// | waiting      | a member has room              | leased: attempt + 1                           |
// |              | its time to live is over       | dropped{expired}                              |
// | leased       | ack, or handled where it is    | acked (counted as delivered)                  |
// |              | automatic                      |                                               |
// |              | in progress                    | leased: its time begins again                 |
// |              | nak                            | delayed by what was asked, or by back_off     |
// |              | its time is over               | delayed by back_off; lapsed + 1               |
// |              | the member died                | waiting, before all others                    |
// |              | the member left                | waiting, and the attempt does not count       |
// |              | nak, lapse or death at attempt | dead: a letter on $dead.TOPIC (DeadStore)     |
// |              | number attempts_max            |                                               |
// |              | refused by the member          | dropped{expired or corrupt}                   |
// | delayed      | the time has come              | waiting, before all others                    |
// | acked, dead, | any word of a member about it  | the same: stale + 1                           |
// | dropped      |                                |                                               |
//
// In the ledger of a pair, `queued` is waiting and delayed, `in_flight` is leased. A message counts
// once, whatever its attempts; those stand beside.
//
// What a member had when it died goes to members that have nothing else in hand, one message each,
// so that one that kills its members does not take others with it. Groups whose name begins with
// '$' are the node's own use: a message is tried once at most, and what a member had when it died
// is unknown.
struct Group {
  Group(std::string given_name, const GroupTerms& given, std::uint32_t leased_max)
      : name(std::move(given_name)), terms(given), dealer(given.mode, leased_max) {}

  bool is_once() const noexcept { return name.front() == '$'; }
  bool is_manual() const noexcept { return terms.ack_timeout > 0; }
  Train& acquire_train() {
    if (trains_free.empty()) {
      trains.push_back(std::make_unique<Train>());
      trains_free.push_back(trains.back().get());
    }
    Train& train = *trains_free.back();
    trains_free.pop_back();
    return train;
  }

  const std::string name;
  const GroupTerms terms;
  Subscription* own = nullptr;
  Dealer dealer;
  LaneTurn turn;  // whose turn it is to be dealt
  Leases leases;
  Delays delays;
  std::vector<std::unique_ptr<Train>> trains;
  std::vector<Train*> trains_free;
  std::uint64_t leased = 0;     // messages, of all members
  base::Nanos empty_since = 0;  // without members; 0: it has some
  bool wants_dealing = false;   // stands in Switch's list
};

}  // namespace abuzz::delivery
