#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace abuzz::tools {

// A counter for people: with the unit that its file names, a moment as an age, a state by its name.
// `now` is a reading of the monotonic clock. A unit that is not known is a plain number.
std::string counter_text(std::string_view unit, std::uint64_t value, std::chrono::nanoseconds now);

// Whether values of the unit stand for names.
bool is_choice(std::string_view unit) noexcept;

// Of SubscriptionCounter::policy; the number where it is none that is known.
std::string policy_name(std::uint64_t value);

std::chrono::nanoseconds monotonic_now();

}  // namespace abuzz::tools
