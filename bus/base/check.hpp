#pragma once

// ABUZZ_CHECK states an invariant of our own code. It is on in every build and is never fed by a
// peer or by a caller: what comes from outside is answered with a value, not with an abort.

namespace abuzz::base {

// Prints the condition and its place, then aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace abuzz::base

#define ABUZZ_CHECK(condition)                         \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::abuzz::base::check_failed(#condition, __FILE__, __LINE__))
