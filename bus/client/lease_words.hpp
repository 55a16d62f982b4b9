#pragma once

#include <cstddef>
#include <cstdint>

#include "bus/delivery/ring.hpp"
#include "bus/wire/control.hpp"

namespace abuzz::client {

// Words about the leased messages of one subscription, on their way to the node.
//
// A link may be lost with words on it. Those that end leases are kept, the last kept_max of them,
// and said again on the next link to the same node: it takes each message's first word only. At
// most so many leases are open at the node (leased_max), each with a word that it has not taken
// yet; so none of these is forgotten. A word of progress is not repeated.
//
// Inside the session's combiner only. No allocation once it has grown.
class LeaseWords {
 public:
  static constexpr std::size_t kept_max = 1024;

  void add(const wire::LeaseAct& act) {
    ++messages_;
    if (!untold_.is_empty() && joins(untold_.back(), act)) {
      untold_.back().count += act.count;
      return;
    }
    untold_.push_back(wire::LeaseAct{act});
  }
  bool is_empty() const noexcept { return untold_.is_empty(); }
  // Words that were added since all of them were told.
  std::size_t waiting() const noexcept { return messages_; }
  // Hands each word to `tell` while that returns true.
  template <class Tell>
  void tell_all(Tell&& tell) {
    while (!untold_.is_empty()) {
      if (!tell(untold_.front())) return;
      if (untold_.front().kind != wire::LeaseWord::in_progress) {
        if (told_.count() >= kept_max) told_.pop_front();
        told_.push_back(wire::LeaseAct{untold_.front()});
      }
      untold_.pop_front();
    }
    messages_ = 0;
  }
  // The link was lost, and the node is the same: what was told may not have arrived.
  void say_again() {
    while (!told_.is_empty()) {
      untold_.push_front(wire::LeaseAct{told_.back()});
      told_.pop_back();
    }
  }
  // The leases are those of a node that is gone.
  void forget() {
    while (!told_.is_empty()) told_.pop_front();
    while (!untold_.is_empty()) untold_.pop_front();
    messages_ = 0;
  }

 private:
  static bool joins(const wire::LeaseAct& before, const wire::LeaseAct& act) noexcept {
    return before.kind == wire::LeaseWord::ack && act.kind == wire::LeaseWord::ack &&
           before.lane == act.lane && before.first_delivery + before.count == act.first_delivery;
  }

  delivery::Ring<wire::LeaseAct> untold_, told_;
  std::size_t messages_ = 0;
};

}  // namespace abuzz::client
