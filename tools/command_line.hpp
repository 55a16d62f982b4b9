#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The small grammar that all verbs share: durations, sizes, counts and rates as people write them,
// and names that were nearly right. Every parse function takes the whole text or refuses it.

namespace abuzz::tools {

// "10s", "500ms", "2.5s", "1min"; units ns us ms s min h. A bare number is refused, except 0.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);
// "64", "64B", "64KiB", "8MiB", "1GiB", and with powers of ten kB MB GB.
std::optional<std::uint64_t> parse_bytes(std::string_view text);
// Digits only, with '_' between them if it helps: "10_000".
std::optional<std::uint64_t> parse_count(std::string_view text);
// Per second, more than 0: "100", "0.5", "10k", "2M".
std::optional<double> parse_rate(std::string_view text);

// "0", "350ns", "1.5ms", "10s", "2min", "1h 5min": short, at most two terms.
std::string format_duration(std::chrono::nanoseconds span);
// "512 B", "1.5 KiB", "8 MiB".
std::string format_bytes(std::uint64_t bytes);
// "1,234,567".
std::string format_count(std::uint64_t count);
// "1 message", "2 messages".
std::string format_plural(std::uint64_t count, std::string_view one, std::string_view many);

// The candidate that the user may have meant: at most a third of its letters wrong. Empty if none.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

// A command line split at its verb. Flags that all verbs share may stand before it, so that
// `abuzz --config F node run` and `abuzz node run --config F` say the same.
struct VerbLine {
  std::string verb;                // empty when none was given
  std::vector<std::string> words;  // shared flags first, then what followed the verb
};
VerbLine split_verb(const std::vector<std::string>& words);

}  // namespace abuzz::tools
