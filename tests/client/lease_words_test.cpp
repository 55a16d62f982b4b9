#include "bus/client/lease_words.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace abuzz::client {
namespace {

using Word = wire::LeaseWord;

wire::LeaseAct act(std::uint64_t delivery, Word kind = Word::ack, Lane lane = Lane::normal) {
  wire::LeaseAct item;
  item.subscription = 1;
  item.kind = kind;
  item.lane = lane;
  item.first_delivery = delivery;
  item.count = 1;
  return item;
}

class LeaseWordsTest : public ::testing::Test {
 protected:
  // What is told, at most so many words, as first delivery and count.
  std::vector<std::pair<std::uint64_t, std::uint32_t>> told(std::size_t most = 10'000) {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> ranges;
    words_.tell_all([&](const wire::LeaseAct& item) {
      if (ranges.size() == most) return false;
      ranges.emplace_back(item.first_delivery, item.count);
      return true;
    });
    return ranges;
  }
  using Ranges = std::vector<std::pair<std::uint64_t, std::uint32_t>>;
  LeaseWords words_;
};

TEST_F(LeaseWordsTest, AcknowledgementsInARowAreOneWord) {
  for (std::uint64_t delivery = 1; delivery <= 5; ++delivery) words_.add(act(delivery));
  words_.add(act(7));
  words_.add(act(8, Word::ack, Lane::high));
  EXPECT_EQ(words_.waiting(), 7u);
  EXPECT_EQ(told(), (Ranges{{1, 5}, {7, 1}, {8, 1}}));
  EXPECT_EQ(words_.waiting(), 0u);
  EXPECT_EQ(told(), Ranges{});
}

TEST_F(LeaseWordsTest, OtherWordsStayApartAndInOrder) {
  words_.add(act(1));
  words_.add(act(2, Word::nak));
  words_.add(act(3, Word::nak));
  words_.add(act(4));
  EXPECT_EQ(told(), (Ranges{{1, 1}, {2, 1}, {3, 1}, {4, 1}}));
}

TEST_F(LeaseWordsTest, WhatHasNoRoomIsToldLater) {
  for (const std::uint64_t delivery : {1, 3, 5, 7}) words_.add(act(delivery));
  EXPECT_EQ(told(3), (Ranges{{1, 1}, {3, 1}, {5, 1}}));
  EXPECT_FALSE(words_.is_empty());
  EXPECT_EQ(told(), (Ranges{{7, 1}}));
  EXPECT_TRUE(words_.is_empty());
}

TEST_F(LeaseWordsTest, OnTheNextLinkTheEndsOfLeasesAreSaidAgain) {
  words_.add(act(1));
  words_.add(act(2, Word::in_progress));
  words_.add(act(3, Word::nak));
  (void)told();
  words_.add(act(4));
  words_.say_again();
  EXPECT_EQ(told(), (Ranges{{1, 1}, {3, 1}, {4, 1}}));
  words_.say_again();
  words_.say_again();
  EXPECT_EQ(told(), (Ranges{{1, 1}, {3, 1}, {4, 1}}));
}

TEST_F(LeaseWordsTest, NoMoreWordsAreKeptThanLeasesCanBeOpen) {
  for (std::uint64_t delivery = 1; delivery <= 3000; ++delivery) words_.add(act(delivery * 2));
  (void)told();
  words_.say_again();
  const Ranges again = told();
  ASSERT_EQ(again.size(), LeaseWords::kept_max);
  EXPECT_EQ(again.back().first, 6000u);
}

TEST_F(LeaseWordsTest, AnotherNodeHearsNothingOfThem) {
  words_.add(act(1));
  (void)told();
  words_.add(act(2));
  words_.forget();
  words_.say_again();
  EXPECT_EQ(told(), Ranges{});
}

}  // namespace
}  // namespace abuzz::client
