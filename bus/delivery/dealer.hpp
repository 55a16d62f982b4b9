#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "bus/base/random.hpp"
#include "bus/base/units.hpp"
#include "bus/delivery/allowance.hpp"
#include "bus/delivery/amount.hpp"
#include "bus/options.hpp"

namespace abuzz::delivery {

struct Subscription;

// One member of a group, as dealing sees it.
struct Member {
  Member(Subscription* given, std::uint64_t number, std::uint32_t most,
         std::uint64_t bytes) noexcept
      : subscription(given), id(number), allowance(most), window_bytes(bytes) {}

  Subscription* subscription;
  std::uint64_t id;  // of the group; never given again
  Allowance allowance;
  std::uint64_t window_bytes;
  std::uint32_t leased = 0;   // messages that it got and that are not resolved
  std::uint64_t handled = 0;  // messages, in all
  bool has_suspect = false;   // it was dealt a message that may kill it, and gets nothing beside it
  Amount dealt, taken;        // in all; taken: by a worker of it
  base::Nanos full_since = 0;  // 0: it had room when it was last asked for
  bool is_away = false;        // its link is lost: it may come back
  // Something was sent to it and has not arrived since then; 0: nothing such.
  base::Nanos deaf_since = 0;
  std::uint64_t arrived = 0;  // records, as last seen
};

// Which member of a group gets what comes next.
//
// | mode              | whom                                                                     |
// |-------------------|--------------------------------------------------------------------------|
// | least_outstanding | of two by chance the one with less in hand; where both are full, another |
// | round_robin       | the next in turn that has room                                           |
// | sticky            | the member of the key, for as long as it lives; when it was full for     |
// |                   | 100 ms, whoever has room. Without a key as least_outstanding             |
//
// A member has room while fewer messages wait in its process than its Allowance says, and fewer
// than leased_max are leased to it. Of sticky keys it is a fixed number, because a message that
// goes to somebody else may pass the one before it.
//
// One thread; time and chance are handed in. Bounded: keys_max keys are remembered, beyond which
// all are forgotten; a key that was forgotten goes where it went as long as the members are the
// same. Cost: constant while somebody of two has room, else a step for each member. No allocation
// but for new members and keys.
class Dealer {
 public:
  static constexpr std::uint32_t run_messages_max = 64;  // dealt at a time
  static constexpr std::uint32_t sticky_waiting_max = 64;
  static constexpr base::Nanos spill_after = 100 * base::millisecond;
  static constexpr std::size_t keys_max = 65'536;

  Dealer(GroupMode mode, std::uint32_t leased_max) noexcept
      : mode_(mode), leased_max_(leased_max) {}

  Member& add(Subscription& subscription, std::uint64_t window_bytes);
  // Its keys go to others. What is leased to it is the caller's to take back.
  void remove(Member& member);
  std::size_t count() const noexcept { return members_.size(); }
  bool is_sticky() const noexcept { return mode_ == GroupMode::sticky; }
  template <class Visit>
  void for_each(Visit&& visit) {
    for (auto& member : members_) visit(*member);
  }

  // What is to be dealt.
  struct Offer {
    std::uint64_t key = 0;  // 0: none
    std::uint64_t bytes = 0;
    bool is_suspect = false;  // a member that had it has died: it goes to one that has nothing else
  };
  // Who gets it. nullptr: it has to wait.
  Member* choose(const Offer& offer, base::Random& random, base::Nanos now);
  // How many messages of those that wait it should get at once: its part, where all were to get
  // some, and no more than it has room for. At least 1. Requires: it has room.
  std::uint32_t run_length(const Member& member, std::uint64_t waiting) const noexcept;

  void note_dealt(Member& member, Amount amount, base::Nanos now) noexcept;
  // What its workers have taken, in all.
  void note_taken(Member& member, Amount taken, base::Nanos now) noexcept;
  // What its handlers have come to the end of, in all.
  static void note_handled(Member& member, std::uint64_t messages) noexcept {
    member.handled = messages;
  }
  void note_resolved(Member& member, std::uint32_t messages) noexcept { member.leased -= messages; }

 private:
  std::uint32_t room(const Member& member) const noexcept;
  bool has_room(Member& member, const Offer& offer, base::Nanos now) const noexcept;
  Member* least_outstanding(const Offer& offer, base::Random& random, base::Nanos now);
  Member* next_in_turn(const Offer& offer, base::Nanos now);
  Member* by_key(const Offer& offer, base::Random& random, base::Nanos now);
  Member* home_of(std::uint64_t key);

  const GroupMode mode_;
  const std::uint32_t leased_max_;
  std::vector<std::unique_ptr<Member>> members_;
  std::size_t turn_ = 0;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, Member*> homes_;
};

}  // namespace abuzz::delivery
