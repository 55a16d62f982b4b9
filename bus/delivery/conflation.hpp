#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "bus/delivery/ring.hpp"
#include "bus/wire/layout.hpp"

namespace abuzz::delivery {

// Of the policy latest(n): for each topic and key, what of it is queued, oldest first, whatever its
// lane. One thread.
class Conflation {
 public:
  // Where a queued entry stands: in the queue of a lane, by its ticket there.
  struct Place {
    std::uint64_t ticket = 0;
    wire::Lane lane = wire::Lane::normal;
    friend bool operator==(const Place&, const Place&) = default;
  };
  struct Slot {
    Ring<Place> places;
    std::uint64_t messages = 0;
  };
  // Stable until it is empty and another one is asked for.
  Slot& slot(std::uint64_t topic_hash, std::uint64_t key) {
    const Key wanted{topic_hash, key};
    const auto found = slots_.find(wanted);
    if (found != slots_.end()) return found->second;
    if (slots_.size() >= sweep_at_) {
      std::erase_if(slots_, [](const auto& item) { return item.second.places.is_empty(); });
      sweep_at_ = slots_.size() * 2 < slots_min ? slots_min : slots_.size() * 2;
    }
    return slots_[wanted];
  }

 private:
  static constexpr std::size_t slots_min = 1024;
  struct Key {
    std::uint64_t topic_hash, key;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const noexcept {
      return key.topic_hash ^ (key.key * 0x9E37'79B9'7F4A'7C15ull);
    }
  };
  std::unordered_map<Key, Slot, Hash> slots_;
  std::size_t sweep_at_ = slots_min;
};

}  // namespace abuzz::delivery
