#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace abuzz::base {

using Key128 = std::array<std::byte, 16>;
using Mac128 = std::array<std::byte, 16>;

// SipHash-2-4 with a 128-bit result (Aumasson and Bernstein, 2012): the proof in agent tokens.
Mac128 siphash128(const Key128& key, std::span<const std::byte> message) noexcept;

// Compares in time that depends on nothing but the length.
bool equal_constant_time(const Mac128& left, const Mac128& right) noexcept;

}  // namespace abuzz::base
