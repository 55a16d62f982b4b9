#pragma once

#include <cstdint>

#include "bus/base/units.hpp"

namespace abuzz::place {

// What went through one participant since the last look.
struct TrafficLook {
  base::Nanos span = 0;
  std::uint64_t messages = 0;
  std::uint64_t batches = 0;
  base::Nanos cpu = 0;  // of the threads that would be moved; 0: not known
};

// Whether threads that handle this traffic belong on one processor: where wake-ups across cores are
// dear, exchanges of single messages gain by it, and streams lose. So it is tried, and what the
// traffic did then decides.
//
// | state    | when                                              | then     | what to do |
// |----------|---------------------------------------------------|----------|------------|
// | apart    | two looks in a row at small exchanges             | trying   | gather     |
// | trying   | in the third look it was worth it: see below      | together |            |
// | trying   | it was not, or these are no small exchanges now   | refused  | part       |
// | together | two looks in a row at something else, or at less  | apart    | part       |
// | refused  | looks_refused are over                            | apart    |            |
//
// Small exchanges: at least 100 batches a second, of hardly more than a message each.
// Worth it: a tenth more batches a second; or as many, for a tenth less processor time each.
// Less: under two thirds of what was seen together. Whatever took the rest of that processor, it is
// tried again if they go on, and then refused.
//
// A pure state machine, a look a second. One thread.
class Conversation {
 public:
  enum class State : std::uint8_t { apart, trying, together, refused };
  enum class Act : std::uint8_t { none, gather, part };
  static constexpr std::uint32_t looks_refused = 60;

  Act note(const TrafficLook& look) noexcept;
  // It could not be gathered, or there is no use in it: not again soon.
  void refuse() noexcept { (void)go(State::refused, Act::none); }
  State state() const noexcept { return state_; }
  bool is_gathered() const noexcept { return state_ == State::trying || state_ == State::together; }
  static bool is_small_exchange(const TrafficLook& look) noexcept;

 private:
  Act go(State state, Act act) noexcept;
  bool was_worth_it(const TrafficLook& look) const noexcept;

  State state_ = State::apart;
  std::uint32_t looks_ = 0;  // in a row that say the other thing, or in this state
  TrafficLook before_;       // the last look apart
  double rate_most_ = 0;     // together
};

}  // namespace abuzz::place
