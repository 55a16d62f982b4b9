#include "tools/advice.hpp"

#include <gtest/gtest.h>

#include <initializer_list>

namespace abuzz::tools {
namespace {

using Spread = MeetingMeasures::Spread;

MeetingMeasures dear() {
  MeetingMeasures measures;
  measures.rounds = 9;
  measures.left = 0;
  measures.right = 1;
  measures.one_core_us = {4, 5, 6};
  measures.across_us = {30, 40, 50};
  measures.kernel_us = {28, 38, 48};
  measures.gain_one_core = {6, 7.5, 8};
  measures.gain_across = {0.9, 0.95, 1};
  return measures;
}

class AdviceTest : public testing::Test {
 protected:
  RowSnapshot& add(RowKind kind, std::initializer_list<std::uint64_t> ids, std::string text = {}) {
    RowSnapshot& row = stats_.rows.emplace_back();
    row.index = static_cast<std::uint32_t>(stats_.rows.size() - 1);
    row.kind = kind;
    std::ranges::copy(ids, row.ids);
    row.text = std::move(text);
    return row;
  }
  // One direction: `messages` in `batches` since the look before.
  void talk(std::uint64_t from, std::uint64_t to, std::uint64_t messages, std::uint64_t batches) {
    RowSnapshot& publication = add(RowKind::publication, {from, 1});
    publication.counters[static_cast<std::size_t>(PublicationCounter::accepted)] = messages;
    publication.counters[static_cast<std::size_t>(PublicationCounter::batches)] = batches;
    const std::uint64_t publication_index = publication.index;
    const std::uint64_t subscription_index = add(RowKind::subscription, {to, 1}).index;
    RowSnapshot& pair = add(RowKind::pair, {publication_index, subscription_index});
    pair.counters[static_cast<std::size_t>(PairCounter::delivered)] = messages;
  }
  std::vector<Advice> advices(const MeetingMeasures& measures = dear()) {
    return advise(find_talks(StatsSnapshot{}, stats_, std::chrono::seconds(1)), measures);
  }
  void SetUp() override {
    add(RowKind::process, {});
    add(RowKind::agent, {1}, "ping");
    add(RowKind::agent, {2}, "pong");
    add(RowKind::agent, {3}, "source");
  }
  StatsSnapshot stats_;
};

TEST_F(AdviceTest, SmallExchangesBelongTogetherWhereThatPaysInEveryRound) {
  talk(1, 2, 4000, 4000);
  talk(2, 1, 4000, 4000);
  const auto found = advices();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, Advice::Kind::exchange);
  EXPECT_TRUE(found[0].belongs_together);
  EXPECT_NE(advice_text(found, dear(), 0).find("7.5 times the kernel's choice (6.0 to 8.0)"),
            std::string::npos);
}

TEST_F(AdviceTest, SmallExchangesMayBeAnywhereWhereItDoesNotPay) {
  talk(1, 2, 4000, 4000);
  talk(2, 1, 4000, 4000);
  MeetingMeasures cheap = dear();
  cheap.gain_one_core = {0.9, 1.4, 2};
  const auto found = advices(cheap);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_FALSE(found[0].belongs_together);
}

TEST_F(AdviceTest, ALuckyRoundOfTheKernelVetoesNothing) {
  talk(1, 2, 4000, 4000);
  talk(2, 1, 4000, 4000);
  MeetingMeasures mixed = dear();
  mixed.gain_one_core = {1.1, 14.8, 20.3};
  ASSERT_EQ(advices(mixed).size(), 1u);
  EXPECT_TRUE(advices(mixed)[0].belongs_together);
}

TEST_F(AdviceTest, StreamsBelongApart) {
  talk(3, 2, 1'000'000, 8000);
  const auto found = advices();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, Advice::Kind::stream);
  EXPECT_FALSE(found[0].belongs_together);
}

TEST_F(AdviceTest, BothWaysInLargeBatchesAreStreams) {
  talk(1, 2, 100'000, 1000);
  talk(2, 1, 100'000, 1000);
  const auto found = advices();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].kind, Advice::Kind::stream);
}

TEST_F(AdviceTest, HardlyAnythingBelongsNowhere) {
  talk(1, 2, 5, 5);
  EXPECT_TRUE(advices().empty());
  EXPECT_NE(advice_text({}, dear(), 0).find("nobody talks enough"), std::string::npos);
}

TEST_F(AdviceTest, ProgramsGetTheSame) {
  talk(1, 2, 4000, 4000);
  talk(2, 1, 4000, 4000);
  std::string text;
  JsonWriter json(text);
  write_advice(json, advices(), dear(), 1);
  EXPECT_NE(text.find(R"("together":true)"), std::string::npos);
  EXPECT_NE(text.find(R"("meeting":0)"), std::string::npos);
}

}  // namespace
}  // namespace abuzz::tools
