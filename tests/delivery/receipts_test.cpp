#include "bus/delivery/receipts.hpp"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "bus/base/random.hpp"
#include "bus/delivery/losses.hpp"
#include "tests/delivery/switch_fixture.hpp"

namespace abuzz::delivery::test {
namespace {

// Everything that is to be told, as one line each: "FIRST+COUNT outcome [reason] [n] [partial]".
std::vector<std::string> tell(ReceiptBook& book) {
  std::vector<std::string> lines;
  while (const wire::Receipt* run = book.peek()) {
    std::string line = std::to_string(run->first_seq) + "+" + std::to_string(run->count) + " " +
                       receipt_outcome_name(run->outcome);
    if (run->outcome == ReceiptOutcome::dropped)
      line += std::string(" ") + drop_reason_key(run->reason);
    if (run->delivered > 0) line += " " + std::to_string(run->delivered);
    if (run->is_partial) line += " partial";
    lines.push_back(line);
    book.mark_told();
  }
  return lines;
}
using Lines = std::vector<std::string>;

TEST(ReceiptBook, WhatFindsNoSubscriberIsSettledAtOnce) {
  ReceiptBook book;
  EXPECT_EQ(book.open(7, 0, 3, 0), nullptr);
  EXPECT_EQ(tell(book), (Lines{"7+3 no_subscriber"}));
  EXPECT_EQ(book.asked_count(), 3u);
  EXPECT_EQ(book.settled_count(), 3u);
}

TEST(ReceiptBook, AMessageIsSettledWhenTheLastSubscriptionHasSpoken) {
  ReceiptBook book;
  ReceiptBook::Batch* batch = book.open(1, 0, 2, 2);
  book.delivered(batch, 0, 2);
  EXPECT_EQ(tell(book), Lines{});
  book.dropped(batch, 1, 1, DropReason::expired);
  EXPECT_EQ(tell(book), (Lines{"2+1 delivered 1 partial"}));
  book.delivered(batch, 0, 1);
  EXPECT_EQ(tell(book), (Lines{"1+1 delivered 2"}));
  EXPECT_EQ(batch, nullptr);
}

TEST(ReceiptBook, TheFirstReasonIsTheReason) {
  ReceiptBook book;
  ReceiptBook::Batch* batch = book.open(1, 0, 1, 3);
  book.dropped(batch, 0, 1, DropReason::conflated);
  book.dropped(batch, 0, 1, DropReason::peer_gone);
  book.dropped(batch, 0, 1, DropReason::expired);
  EXPECT_EQ(tell(book), (Lines{"1+1 dropped conflated"}));
}

TEST(ReceiptBook, WhatNobodyHandledAndOneMayHaveHandledIsUnknown) {
  ReceiptBook book;
  ReceiptBook::Batch* batch = book.open(1, 0, 2, 2);
  book.dropped(batch, 0, 2, DropReason::queue_full);
  book.unknown(batch, 0, 1);
  book.delivered(batch, 1, 1);
  EXPECT_EQ(tell(book), (Lines{"1+1 unknown", "2+1 delivered 1 partial"}));
}

TEST(ReceiptBook, WhatWasAcceptedBeforeIsNotSettledAgain) {
  ReceiptBook book;
  ReceiptBook::Batch* batch = book.open(11, 2, 4, 1);
  book.delivered(batch, 0, 4);
  EXPECT_EQ(tell(book), (Lines{"13+2 delivered 1"}));
  EXPECT_EQ(book.asked_count(), 2u);
}

TEST(ReceiptBook, MessagesInARowOfOneOutcomeShareAReceiptUntilItIsTold) {
  ReceiptBook book;
  ReceiptBook::Batch* first = book.open(1, 0, 2, 1);
  ReceiptBook::Batch* second = book.open(3, 0, 2, 1);
  book.delivered(first, 0, 2);
  book.delivered(second, 0, 1);
  EXPECT_EQ(tell(book), (Lines{"1+3 delivered 1"}));
  book.delivered(second, 1, 1);
  EXPECT_EQ(tell(book), (Lines{"4+1 delivered 1"}));
}

TEST(ReceiptBook, WhatWasToldAndNotConfirmedIsToldAgainAfterALostLink) {
  ReceiptBook book;
  for (std::uint64_t seq = 1; seq <= 9; seq += 2) (void)book.open(seq, 0, 1, 0);
  EXPECT_EQ(tell(book).size(), 5u);
  book.confirm(2);
  book.rewind();
  EXPECT_EQ(book.peek()->number, 3u);
  EXPECT_EQ(tell(book), (Lines{"5+1 no_subscriber", "7+1 no_subscriber", "9+1 no_subscriber"}));
  book.confirm(5);
  book.rewind();
  EXPECT_EQ(tell(book), Lines{});
}

TEST(ReceiptBook, WhatWasToldIsNotExtendedAfterALostLink) {
  ReceiptBook book;
  (void)book.open(1, 0, 1, 0);
  EXPECT_EQ(tell(book), (Lines{"1+1 no_subscriber"}));
  book.rewind();
  (void)book.open(2, 0, 1, 0);
  EXPECT_EQ(tell(book), (Lines{"1+1 no_subscriber", "2+1 no_subscriber"}));
}

TEST(ReceiptBook, ANumberThatWasNotToldConfirmsNothing) {
  ReceiptBook book;
  (void)book.open(1, 0, 1, 0);
  book.confirm(1'000);
  EXPECT_EQ(tell(book), (Lines{"1+1 no_subscriber"}));
}

TEST(ReceiptBook, IsFullWhileTooMuchIsNotConfirmed) {
  ReceiptBook book;
  for (std::uint64_t seq = 0; seq < ReceiptBook::runs_max; ++seq) {
    EXPECT_FALSE(book.is_full());
    (void)book.open(2 * seq + 1, 0, 1, 0);
  }
  EXPECT_TRUE(book.is_full());
  (void)tell(book);
  EXPECT_TRUE(book.is_full());
  book.confirm(1);
  EXPECT_FALSE(book.is_full());
}

// What the plain map below knows of one message.
struct Word {
  std::uint32_t delivered = 0;
  bool is_unknown = false;
  std::vector<DropReason> reasons;
  std::uint32_t silent = 0;
};

std::string text_of(const Word& word) {
  if (word.delivered > 0) {
    const bool is_partial = word.is_unknown || !word.reasons.empty();
    return "delivered " + std::to_string(word.delivered) + (is_partial ? " partial" : "");
  }
  if (word.is_unknown) return "unknown";
  return std::string("dropped ") + drop_reason_key(word.reasons.front());
}

// Against a plain map: every message is named once, with what the words about it say.
TEST(ReceiptBook, AgreesWithAPlainMapOverRandomWords) {
  base::Random random(seed_of_run());
  ReceiptBook book;
  struct Open {
    ReceiptBook::Batch* batch;
    std::uint64_t first_seq;
    std::vector<Word> words;
  };
  std::map<std::uint64_t, std::string> expected, told;
  std::vector<Open> open;
  std::uint64_t next_seq = 1;
  for (int step = 0; step < 20'000; ++step) {
    if (open.empty() || random.below(4) == 0) {
      const auto count = static_cast<std::uint32_t>(1 + random.below(20));
      const auto pairs = static_cast<std::uint32_t>(1 + random.below(4));
      Open fresh{book.open(next_seq, 0, count, pairs), next_seq, std::vector<Word>(count)};
      for (Word& word : fresh.words) word.silent = pairs;
      next_seq += count + random.below(2);
      open.push_back(std::move(fresh));
    }
    const std::size_t place = random.below(open.size());
    Open& target = open[place];
    const std::size_t first = random.below(target.words.size());
    if (target.words[first].silent == 0) continue;
    std::size_t end = first;
    while (end < target.words.size() && target.words[end].silent > 0 && random.below(5) != 0) ++end;
    const auto from = static_cast<std::uint32_t>(first);
    const auto count = static_cast<std::uint32_t>(end - first);
    const std::uint64_t kind = random.below(4);
    const auto reason = static_cast<DropReason>(random.below(drop_reason_count));
    for (std::size_t index = first; index < end; ++index) {
      Word& word = target.words[index];
      if (kind < 2) ++word.delivered;
      if (kind == 2) word.reasons.push_back(reason);
      if (kind == 3) word.is_unknown = true;
      if (--word.silent == 0) expected[target.first_seq + index] = text_of(word);
    }
    if (kind < 2) book.delivered(target.batch, from, count);
    if (kind == 2) book.dropped(target.batch, from, count, reason);
    if (kind == 3) book.unknown(target.batch, from, count);
    if (target.batch == nullptr) open.erase(open.begin() + static_cast<std::ptrdiff_t>(place));
    while (const wire::Receipt* run = book.peek()) {
      std::string line = receipt_outcome_name(run->outcome);
      if (run->delivered > 0) line += " " + std::to_string(run->delivered);
      if (run->is_partial) line += " partial";
      if (run->outcome == ReceiptOutcome::dropped)
        line += std::string(" ") + drop_reason_key(run->reason);
      for (std::uint32_t index = 0; index < run->count; ++index)
        EXPECT_TRUE(told.emplace(run->first_seq + index, line).second) << run->first_seq + index;
      book.mark_told();
      book.confirm(run->number);
    }
  }
  EXPECT_GT(told.size(), 1000u);
  EXPECT_EQ(told, expected);
}

TEST(Losses, CountEachMessageByTheFirstReason) {
  Losses losses;
  Coverage handled;
  handled.add(0, 2);
  losses.add_dropped(0, 5, DropReason::queue_full);
  losses.add_dropped(3, 5, DropReason::expired);
  losses.add_unknown(9, 1);
  losses.add_dropped(8, 2, DropReason::peer_gone);
  const Losses::Sums sums = losses.sum(handled, 10);
  EXPECT_EQ(sums.unknown, 1u);
  EXPECT_EQ(sums.dropped_by[static_cast<std::size_t>(DropReason::queue_full)], 3u);
  EXPECT_EQ(sums.dropped_by[static_cast<std::size_t>(DropReason::expired)], 3u);
  EXPECT_EQ(sums.dropped_by[static_cast<std::size_t>(DropReason::peer_gone)], 1u);
}

}  // namespace
}  // namespace abuzz::delivery::test
