#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "bus/error.hpp"

// The payload of a reply of kind `failed`: schema/wire.md, section 15.

namespace abuzz::client {

inline constexpr std::size_t failure_text_bytes_max = 512;
// The longest payload.
inline constexpr std::size_t failure_bytes_max = 2 + failure_text_bytes_max;

// Writes into `payload`, of failure_bytes_max bytes; a longer text is cut. Returns what was used.
std::span<const std::byte> write_failure(Error error, std::string_view text,
                                         std::span<std::byte> payload) noexcept;
// What a peer sent, whatever it is: a number that is none is request_failed, control characters
// show as '?', a longer text is cut.
Failure read_failure(std::span<const std::byte> payload);

}  // namespace abuzz::client
