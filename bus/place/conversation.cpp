#include "bus/place/conversation.hpp"

#include <algorithm>

namespace abuzz::place {

namespace {

constexpr double batches_min = 100;   // a second
constexpr double messages_max = 1.5;  // a batch
constexpr double gain_min = 1.1;
constexpr double loss_max = 0.9;
constexpr double less_share = 0.66;
constexpr std::uint32_t looks_sure = 2;
// Agents follow within a look; the one after that counts.
constexpr std::uint32_t looks_trying = 3;

double rate(const TrafficLook& look) noexcept {
  if (look.span <= 0) return 0;
  return static_cast<double>(look.batches) * base::second / static_cast<double>(look.span);
}

double cost(const TrafficLook& look) noexcept {
  return look.batches == 0 ? 0 : static_cast<double>(look.cpu) / static_cast<double>(look.batches);
}

}  // namespace

bool Conversation::is_small_exchange(const TrafficLook& look) noexcept {
  return rate(look) >= batches_min &&
         static_cast<double>(look.messages) <= messages_max * static_cast<double>(look.batches);
}

bool Conversation::was_worth_it(const TrafficLook& look) const noexcept {
  const double gain = rate(look) / rate(before_);
  return gain >= gain_min ||
         (gain >= loss_max && look.cpu > 0 && cost(look) <= loss_max * cost(before_));
}

Conversation::Act Conversation::go(State state, Act act) noexcept {
  state_ = state;
  looks_ = 0;
  return act;
}

Conversation::Act Conversation::note(const TrafficLook& look) noexcept {
  const bool is_small = is_small_exchange(look);
  switch (state_) {
    case State::apart:
      looks_ = is_small ? looks_ + 1 : 0;
      before_ = look;
      return looks_ >= looks_sure ? go(State::trying, Act::gather) : Act::none;
    case State::trying:
      // In the first looks some of it is still apart.
      if (++looks_ < looks_trying) return Act::none;
      rate_most_ = rate(look);
      return is_small && was_worth_it(look) ? go(State::together, Act::none)
                                            : go(State::refused, Act::part);
    case State::together:
      rate_most_ = std::max(rate_most_, rate(look));
      looks_ = is_small && rate(look) >= less_share * rate_most_ ? 0 : looks_ + 1;
      return looks_ >= looks_sure ? go(State::apart, Act::part) : Act::none;
    case State::refused:
      return ++looks_ >= looks_refused ? go(State::apart, Act::none) : Act::none;
  }
  return Act::none;
}

}  // namespace abuzz::place
