#include "bus/delivery/dealer.hpp"

#include <algorithm>

#include "bus/base/check.hpp"

namespace abuzz::delivery {

namespace {

// Of each key every member draws a number, and the highest wins: when a member goes, only its own
// keys move.
std::uint64_t draw(std::uint64_t key, std::uint64_t member) noexcept {
  std::uint64_t mixed = (key ^ (member * 0x9E37'79B9'7F4A'7C15ull)) + 0x9E37'79B9'7F4A'7C15ull;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58'476D'1CE4'E5B9ull;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D0'49BB'1331'11EBull;
  return mixed ^ (mixed >> 31);
}

}  // namespace

Member& Dealer::add(Subscription& subscription, std::uint64_t window_bytes) {
  members_.push_back(
      std::make_unique<Member>(&subscription, ++last_id_, leased_max_, window_bytes));
  return *members_.back();
}

void Dealer::remove(Member& member) {
  std::erase_if(homes_, [&](const auto& home) { return home.second == &member; });
  std::erase_if(members_, [&](const auto& other) { return other.get() == &member; });
}

std::uint32_t Dealer::room(const Member& member) const noexcept {
  const std::uint64_t waiting = member.dealt.messages - member.taken.messages;
  const std::uint64_t allowed = is_sticky() ? sticky_waiting_max : member.allowance.now();
  if (waiting >= allowed || member.leased >= leased_max_) return 0;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(allowed - waiting, leased_max_ - member.leased));
}

bool Dealer::has_room(Member& member, const Offer& offer, base::Nanos now) const noexcept {
  const std::uint64_t waiting = member.dealt.bytes - member.taken.bytes;
  const bool fits = waiting == 0 || waiting + offer.bytes <= member.window_bytes;
  const bool is_idle = member.handled == member.dealt.messages;
  if (is_idle) member.has_suspect = false;
  const bool is_alone = is_idle || !(member.has_suspect || offer.is_suspect);
  if (fits && is_alone && !member.is_away && room(member) > 0) {
    member.full_since = 0;
    return true;
  }
  if (member.full_since == 0) member.full_since = std::max<base::Nanos>(now, 1);
  return false;
}

Member* Dealer::choose(const Offer& offer, base::Random& random, base::Nanos now) {
  if (members_.empty()) return nullptr;
  switch (mode_) {
    case GroupMode::least_outstanding:
      break;
    case GroupMode::round_robin:
      return next_in_turn(offer, now);
    case GroupMode::sticky:
      if (offer.key != 0) return by_key(offer, random, now);
      break;
  }
  return least_outstanding(offer, random, now);
}

Member* Dealer::least_outstanding(const Offer& offer, base::Random& random, base::Nanos now) {
  Member* best = nullptr;
  const std::size_t start = random.below(members_.size());
  const auto look = [&](std::size_t place) {
    Member& member = *members_[place % members_.size()];
    if (!has_room(member, offer, now)) return;
    if (best == nullptr || member.leased < best->leased) best = &member;
  };
  look(start);
  if (members_.size() > 1) look(start + 1 + random.below(members_.size() - 1));
  for (std::size_t place = start + 1; best == nullptr && place < start + members_.size(); ++place)
    look(place);
  return best;
}

Member* Dealer::next_in_turn(const Offer& offer, base::Nanos now) {
  for (std::size_t tried = 0; tried < members_.size(); ++tried) {
    if (turn_ >= members_.size()) turn_ = 0;
    Member& member = *members_[turn_++];
    if (has_room(member, offer, now)) return &member;
  }
  return nullptr;
}

Member* Dealer::home_of(std::uint64_t key) {
  if (const auto found = homes_.find(key); found != homes_.end()) return found->second;
  if (homes_.size() >= keys_max) homes_.clear();
  Member* home = nullptr;
  for (auto& member : members_)
    if (home == nullptr || draw(key, member->id) > draw(key, home->id)) home = member.get();
  homes_[key] = home;
  return home;
}

Member* Dealer::by_key(const Offer& offer, base::Random& random, base::Nanos now) {
  Member& home = *home_of(offer.key);
  if (has_room(home, offer, now)) return &home;
  if (now - home.full_since < spill_after) return nullptr;
  return least_outstanding(offer, random, now);
}

std::uint32_t Dealer::run_length(const Member& member, std::uint64_t waiting) const noexcept {
  ABUZZ_CHECK(!members_.empty());
  const std::uint64_t part = waiting / (2 * members_.size());
  const std::uint32_t most = std::clamp(room(member), 1u, run_messages_max);
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(part, 1, most));
}

void Dealer::note_dealt(Member& member, Amount amount, base::Nanos now) noexcept {
  if (member.dealt.messages == member.taken.messages)
    member.allowance.begin(member.taken.messages, now);
  member.dealt = member.dealt + amount;
  member.leased += static_cast<std::uint32_t>(amount.messages);
}

void Dealer::note_taken(Member& member, Amount taken, base::Nanos now) noexcept {
  member.taken = least(most(member.taken, taken), member.dealt);
  member.allowance.note_taken(member.taken.messages, now);
}

}  // namespace abuzz::delivery
