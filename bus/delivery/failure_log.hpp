#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "bus/base/units.hpp"

namespace abuzz::delivery {

// Why an attempt of a group's member at a message failed. Values stand in dead letters by name.
enum class FailureCause : std::uint8_t { nak, lapsed, member_gone };
constexpr std::string_view failure_name(FailureCause cause) noexcept {
  switch (cause) {
    case FailureCause::nak:
      return "nak";
    case FailureCause::lapsed:
      return "lapsed";
    case FailureCause::member_gone:
      return "member_gone";
  }
  return "unknown";
}

// The failed attempts of messages that are not dead yet: what a dead letter tells as its history.
// Messages that fail together share an item, and each item names the one before it. Bounded: the
// oldest items make room, and histories lose their beginnings. One thread.
class FailureLog {
 public:
  static constexpr std::size_t items_max = 16'384;
  static constexpr std::size_t agent_bytes_max = 64;

  struct Item {
    std::uint64_t previous = 0;  // number of the failure before; 0: this was the first
    std::uint64_t agent_id = 0;
    base::Nanos at = 0;
    std::uint32_t attempt = 0;
    FailureCause cause = FailureCause::nak;
    char agent[agent_bytes_max + 1] = {};
  };

  // Returns its number, which is never 0.
  std::uint64_t add(Item item, std::string_view agent) {
    const std::size_t bytes = std::min(agent.size(), agent_bytes_max);
    std::memcpy(item.agent, agent.data(), bytes);
    item.agent[bytes] = '\0';
    const std::uint64_t number = ++last_;
    const std::size_t place = number % items_max;
    if (place >= items_.size()) items_.resize(std::min(place + place / 2 + 64, items_max));
    items_[place] = item;
    return number;
  }
  // nullptr when it was forgotten.
  const Item* find(std::uint64_t number) const noexcept {
    if (number == 0 || number > last_ || number + items_max <= last_) return nullptr;
    return &items_[number % items_max];
  }

 private:
  std::vector<Item> items_;
  std::uint64_t last_ = 0;
};

}  // namespace abuzz::delivery
