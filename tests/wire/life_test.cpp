#include "bus/wire/life.hpp"

#include <gtest/gtest.h>

namespace abuzz::wire {
namespace {

constexpr base::Nanos ms = base::millisecond;

Record with(std::uint32_t ttl_left_ms) {
  Record record;
  record.ttl_left_ms = ttl_left_ms;
  return record;
}

std::uint32_t aged(std::uint32_t ttl_left_ms, std::uint32_t sent_ms, base::Nanos now,
                   bool same_host = true) {
  Record record = with(ttl_left_ms);
  FrameHead head;
  head.sent_ms = sent_ms;
  age_on_arrival(record, head, same_host, now);
  return record.ttl_left_ms;
}

TEST(Life, is_told_rounded_up_and_never_as_none) {
  EXPECT_EQ(ttl_left_ms(0, 5 * ms), 0u);
  EXPECT_EQ(ttl_left_ms(5 * ms + 1, 4 * ms), 2u);
  EXPECT_EQ(ttl_left_ms(5 * ms, 5 * ms - 1), 1u);
  EXPECT_EQ(ttl_left_ms(5 * ms, 5 * ms), ttl_over);
  EXPECT_EQ(ttl_left_ms(5 * ms, 9 * ms), ttl_over);
}

TEST(Life, ends_for_the_receiver_when_what_is_left_is_over) {
  EXPECT_EQ(expiry_of(with(0), 7 * ms), 0);
  EXPECT_EQ(expiry_of(with(3), 7 * ms), 10 * ms);
  EXPECT_EQ(expiry_of(with(ttl_over), 7 * ms), 7 * ms);
  EXPECT_EQ(expiry_of(with(ttl_over), 0), 1);  // 0 would be never
}

TEST(Life, is_shorter_by_the_way_where_both_ends_read_one_clock) {
  EXPECT_EQ(aged(50, 1000, 1020 * ms), 31u);  // both times were rounded down
  EXPECT_EQ(aged(50, 1000, 1001 * ms), 50u);
  EXPECT_EQ(aged(50, 1000, 2000 * ms), ttl_over);
  EXPECT_EQ(aged(50, 1000, 2000 * ms, false), 50u);
  EXPECT_EQ(aged(50, 0, 2000 * ms), 50u);     // not told
  EXPECT_EQ(aged(50, 3000, 2000 * ms), 50u);  // from the future: another clock
  EXPECT_EQ(aged(0, 1000, 2000 * ms), 0u);
  EXPECT_EQ(aged(ttl_over, 1000, 1000 * ms), ttl_over);
  EXPECT_EQ(aged(50, 0xFFFF'FFF0u, ((std::int64_t{1} << 32) + 4) * ms), 31u);  // it wraps
}

}  // namespace
}  // namespace abuzz::wire
