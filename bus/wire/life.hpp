#pragma once

#include <algorithm>
#include <cstdint>

#include "bus/base/units.hpp"
#include "bus/wire/layout.hpp"

namespace abuzz::wire {

// Time to live on its way from clock to clock (schema/wire.md, "Time to live"). A moment of 0 is
// none: it never expires.

// What a record says is left. Rounded up: what has some time left is not sent as having none.
inline std::uint32_t ttl_left_ms(base::Nanos expires_at, base::Nanos now) noexcept {
  if (expires_at == 0) return 0;
  if (now >= expires_at) return ttl_over;
  return static_cast<std::uint32_t>((expires_at - now + base::millisecond - 1) / base::millisecond);
}

// The moment that a record means to its receiver.
inline base::Nanos expiry_of(const Record& record, base::Nanos now) noexcept {
  if (record.ttl_left_ms == 0) return 0;
  if (record.ttl_left_ms == ttl_over) return std::max<base::Nanos>(now, 1);
  return now + base::Nanos{record.ttl_left_ms} * base::millisecond;
}

// Takes off what the record was on its way, where both ends of the link read one clock: who was
// stopped finds old frames.
inline void age_on_arrival(Record& record, const FrameHead& head, bool same_host,
                           base::Nanos now) noexcept {
  if (record.ttl_left_ms == 0 || record.ttl_left_ms == ttl_over) return;
  if (!same_host || head.sent_ms == 0) return;
  // Both are rounded down, so one less is sure to be over. Half the range would be the past.
  const std::uint32_t way_ms = static_cast<std::uint32_t>(now / base::millisecond) - head.sent_ms;
  if (way_ms <= 1 || way_ms > 0x7FFF'FFFF) return;
  record.ttl_left_ms = record.ttl_left_ms >= way_ms ? record.ttl_left_ms - (way_ms - 1) : ttl_over;
}

}  // namespace abuzz::wire
