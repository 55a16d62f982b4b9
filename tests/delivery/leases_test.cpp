#include "bus/delivery/leases.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "bus/delivery/back_off.hpp"
#include "bus/delivery/delays.hpp"
#include "bus/delivery/failure_log.hpp"

namespace abuzz::delivery {
namespace {

constexpr base::Nanos timeout = 30 * base::second;

class LeasesTest : public ::testing::Test {
 protected:
  Lot& lease(std::uint32_t count, base::Nanos time = timeout) {
    Lot& lot = leases_.acquire();
    lot.count = count;
    lot.is_named = true;
    leases_.lease(lot, time, now_);
    return lot;
  }
  // What lapsed by now, in messages.
  std::uint64_t look() {
    std::uint64_t lapsed = 0;
    leases_.look(now_, [&](Lot& lot, std::uint64_t bits) {
      lapsed += static_cast<std::uint64_t>(std::popcount(leases_.resolve(lot, bits)));
    });
    return lapsed;
  }

  Leases leases_;
  base::Nanos now_ = base::second;
};

TEST_F(LeasesTest, AMessageIsResolvedOnce) {
  Lot& lot = lease(10);
  EXPECT_EQ(leases_.resolve(lot, bits_of(2, 3)), bits_of(2, 3));
  EXPECT_EQ(leases_.resolve(lot, bits_of(0, 4)), bits_of(0, 2));
  EXPECT_EQ(leases_.resolve(lot, bits_of(0, 10)), bits_of(5, 5));
  EXPECT_EQ(leases_.resolve(lot, bits_of(0, 10)), 0u);
}

TEST_F(LeasesTest, AFullRunHasAllBits) {
  Lot& lot = lease(64);
  EXPECT_EQ(leases_.resolve(lot, bits_of(0, 64)), ~std::uint64_t{0});
}

TEST_F(LeasesTest, WhatIsNotResolvedInTimeLapses) {
  Lot& lot = lease(4);
  now_ += base::second;
  (void)lease(2);
  leases_.resolve(lot, bits_of(1, 1));
  now_ += timeout - base::second - 1;
  EXPECT_EQ(look(), 0u);
  now_ += 1;
  EXPECT_EQ(look(), 3u);
  EXPECT_EQ(leases_.resolve(lot, bits_of(0, 4)), 0u);
  now_ += base::second;
  EXPECT_EQ(look(), 2u);
}

TEST_F(LeasesTest, WithoutATimeNothingLapses) {
  (void)lease(4, 0);
  now_ += 1000 * timeout;
  EXPECT_EQ(look(), 0u);
  EXPECT_EQ(leases_.next_deadline(), 0);
}

TEST_F(LeasesTest, ProgressExtendsTheTimeOfThatMessageOnly) {
  Lot& lot = lease(4);
  now_ += timeout - 1;
  EXPECT_EQ(leases_.extend(lot, bits_of(2, 1), timeout, now_), bits_of(2, 1));
  now_ += 1;
  EXPECT_EQ(look(), 3u);
  now_ += timeout - 2;
  EXPECT_EQ(look(), 0u);
  EXPECT_EQ(leases_.extend(lot, bits_of(2, 1), timeout, now_), bits_of(2, 1));
  now_ += timeout - 1;
  EXPECT_EQ(look(), 0u);
  now_ += 1;
  EXPECT_EQ(look(), 1u);
  EXPECT_EQ(leases_.extend(lot, bits_of(2, 1), timeout, now_), 0u);
}

TEST_F(LeasesTest, ALeaseIsNotExtendedForEver) {
  Lot& lot = lease(1);
  const base::Nanos end = now_ + Leases::extension_max;
  while (now_ < end - base::second) {
    now_ += base::second;
    (void)leases_.extend(lot, 1, timeout, now_);
    ASSERT_EQ(look(), 0u);
  }
  now_ = end;
  EXPECT_EQ(look(), 1u);
}

TEST_F(LeasesTest, ARunIsReusedWhenNothingNamesIt) {
  Lot& lot = lease(1);
  leases_.resolve(lot, 1);
  leases_.let_go(lot);
  EXPECT_EQ(&leases_.acquire(), &lot);
}

TEST_F(LeasesTest, AnExtensionDoesNotOutliveItsRun) {
  Lot& lot = lease(1);
  (void)leases_.extend(lot, 1, timeout, now_);
  leases_.resolve(lot, 1);
  leases_.let_go(lot);
  now_ += 1;
  Lot& next = lease(1, 10 * timeout);
  EXPECT_EQ(&next, &lot);
  now_ += timeout;
  EXPECT_EQ(look(), 0u);
}

TEST(BitRanges, AreTakenFromTheFront) {
  std::uint64_t bits = bits_of(0, 2) | bits_of(5, 1) | bits_of(60, 4);
  BitRange range = take_range(bits);
  EXPECT_TRUE(range.first == 0 && range.count == 2);
  range = take_range(bits);
  EXPECT_TRUE(range.first == 5 && range.count == 1);
  range = take_range(bits);
  EXPECT_TRUE(range.first == 60 && range.count == 4);
  EXPECT_EQ(bits, 0u);
  bits = ~std::uint64_t{0};
  range = take_range(bits);
  EXPECT_TRUE(range.first == 0 && range.count == 64 && bits == 0);
}

TEST(BackOff, DoublesFrom100msTo10s) {
  base::Random random(3);
  base::Nanos expected = 100 * base::millisecond;
  for (std::uint32_t attempt = 1; attempt < 30; ++attempt) {
    const base::Nanos span = back_off(attempt, random);
    EXPECT_GE(span, expected - expected / 10) << attempt;
    EXPECT_LE(span, expected + expected / 10) << attempt;
    expected = std::min<base::Nanos>(expected * 2, 10 * base::second);
  }
}

TEST(BackOff, WhatFailedTogetherDoesNotComeBackTogether) {
  base::Random random(3);
  std::vector<base::Nanos> spans;
  for (int index = 0; index < 10; ++index) spans.push_back(back_off(1, random));
  std::sort(spans.begin(), spans.end());
  EXPECT_EQ(std::unique(spans.begin(), spans.end()), spans.end());
}

TEST(Delays, ComeBackByTheirTime) {
  Delays delays;
  Lot first, second, third;
  delays.add(second, 20);
  delays.add(first, 10);
  delays.add(third, 20);
  EXPECT_EQ(delays.take_due(9), nullptr);
  EXPECT_EQ(delays.take_due(10), &first);
  EXPECT_EQ(delays.take_due(10), nullptr);
  EXPECT_EQ(delays.take_due(25), &second);
  EXPECT_EQ(delays.take_due(25), &third);
  EXPECT_TRUE(delays.is_empty());
}

TEST(FailureLog, TellsAHistoryFromItsEnd) {
  FailureLog log;
  const std::uint64_t first = log.add({0, 4, 100, 1, FailureCause::lapsed, {}}, "shop");
  const std::uint64_t second = log.add({first, 5, 200, 2, FailureCause::nak, {}}, "till");
  const FailureLog::Item* item = log.find(second);
  ASSERT_NE(item, nullptr);
  EXPECT_STREQ(item->agent, "till");
  item = log.find(item->previous);
  ASSERT_NE(item, nullptr);
  EXPECT_STREQ(item->agent, "shop");
  EXPECT_EQ(log.find(item->previous), nullptr);
}

TEST(FailureLog, ForgetsTheOldest) {
  FailureLog log;
  const std::uint64_t first = log.add({}, "a");
  for (std::size_t index = 1; index < FailureLog::items_max; ++index) (void)log.add({}, "b");
  ASSERT_NE(log.find(first), nullptr);
  const std::uint64_t last = log.add({}, "c");
  EXPECT_EQ(log.find(first), nullptr);
  EXPECT_STREQ(log.find(last)->agent, "c");
}

}  // namespace
}  // namespace abuzz::delivery
