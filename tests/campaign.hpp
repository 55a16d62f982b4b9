#pragma once

#include <cstdint>
#include <cstdlib>

namespace abuzz::testing {

// How often a campaign repeats now: `count` is what it states in full, ABUZZ_CAMPAIGN_PERCENT (1
// unless set) says how much of that to run. Tests that use it have "Campaign" in their name, so
// that `tools/check --full` finds them.
inline std::uint64_t campaign_count(std::uint64_t count) {
  const char* text = std::getenv("ABUZZ_CAMPAIGN_PERCENT");
  const std::uint64_t percent = text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
  const std::uint64_t scaled = count / 100 * percent + count % 100 * percent / 100;
  return scaled == 0 ? 1 : scaled;
}

}  // namespace abuzz::testing
