#pragma once

#include <cstddef>
#include <cstdint>

#include "bus/export.hpp"

// What became of one message: what a publisher is told that asked for it.

namespace abuzz {

// Why a subscription did not get a message that matched it. Values are on the wire; append only.
enum class DropReason : std::uint8_t {
  queue_full,
  peer_gone,
  shutdown,
  corrupt,
  conflated,
  expired,
  dead,  // every attempt of a group failed
};
inline constexpr std::size_t drop_reason_count = 7;
// "queue full"; "?" for a value that is none.
ABUZZ_EXPORT const char* drop_reason_name(DropReason reason) noexcept;
// The same as a key, for programs: "queue_full".
ABUZZ_EXPORT const char* drop_reason_key(DropReason reason) noexcept;

// Values are on the wire, but for pending and outside_window.
enum class ReceiptOutcome : std::uint8_t {
  pending = 0,         // not known yet
  delivered = 1,       // handled by at least one subscription
  no_subscriber = 2,   // matched nothing
  dropped = 3,         // matched, and dropped by all of them
  unknown = 4,         // who would know was lost; it may have been handled, or not
  outside_window = 5,  // no receipt was asked for, or it is forgotten: see Publisher::receipt
};
ABUZZ_EXPORT const char* receipt_outcome_name(ReceiptOutcome outcome) noexcept;

// A plain value. An outcome other than pending is final, but for unknown: Publisher::retry.
struct Receipt {
  ReceiptOutcome outcome = ReceiptOutcome::outside_window;
  DropReason reason = DropReason::queue_full;  // of dropped: the first one that was met
  std::uint32_t delivered_count = 0;           // of delivered: subscriptions that handled it
  bool is_partial = false;                     // of delivered: other subscriptions did not get it
};

}  // namespace abuzz
