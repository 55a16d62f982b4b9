#include "bus/delivery/retained_store.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>

#include "bus/base/random.hpp"
#include "bus/mem/pool.hpp"

namespace abuzz::delivery {
namespace {

struct Value {
  std::uint64_t seq, key;
  bool operator==(const Value&) const = default;
};

class Retained : public ::testing::Test {
 protected:
  // Messages seq .. seq + keys - 1, of the size of a block.
  RetainedBatch batch(std::uint64_t seq, std::uint32_t count, base::Nanos expires_at = 0,
                      std::size_t bytes = 100) {
    RetainedBatch made;
    made.slice = pool_.try_acquire(bytes);
    EXPECT_TRUE(made.slice);
    made.envelope.first_seq = seq;
    made.envelope.message_count = count;
    made.envelope.send_time_ns = static_cast<std::int64_t>(seq);
    made.expires_at = expires_at;
    return made;
  }
  void keep(RetainedTopic& topic, std::uint64_t seq, const std::vector<std::uint64_t>& keys,
            base::Nanos expires_at = 0) {
    const auto count = static_cast<std::uint32_t>(keys.size());
    topic.keep(batch(seq, count, expires_at), 0, count, keys);
  }
  static std::vector<Value> values(const RetainedTopic& topic, base::Nanos now = 0) {
    std::vector<RetainedPiece> pieces;
    topic.collect(pieces, now);
    std::vector<Value> all;
    for (const RetainedPiece& piece : pieces)
      for (std::uint32_t index = 0; index < piece.count; ++index)
        all.push_back({piece.batch->envelope.first_seq + piece.first + index, piece.key});
    return all;
  }
  static void expect_balance(const RetainedTopic& topic) {
    const RetainedTopic::Totals& sum = topic.totals();
    EXPECT_EQ(sum.kept, topic.messages() + sum.replaced + sum.evicted + sum.expired);
  }

  mem::ProcessMemory memory_;
  static constexpr mem::SizeClass classes[] = {{128, 8192, 8192}, {4096, 16, 16}};
  mem::Pool pool_{classes, memory_};
};

TEST_F(Retained, TheLastMessagesAreKept) {
  RetainedTopic topic(1 << 20);
  topic.raise(3);
  topic.keep(batch(1, 2), 0, 2, {});
  topic.keep(batch(3, 4), 0, 4, {});
  EXPECT_EQ(values(topic), (std::vector<Value>{{4, 0}, {5, 0}, {6, 0}}));
  topic.keep(batch(7, 1), 0, 1, {});
  EXPECT_EQ(values(topic), (std::vector<Value>{{5, 0}, {6, 0}, {7, 0}}));
  EXPECT_EQ(topic.newest(0, 0).first, 0u);
  EXPECT_EQ(topic.totals().replaced, 4u);
  expect_balance(topic);
}

TEST_F(Retained, EachKeyHasItsOwnLastMessages) {
  RetainedTopic topic(1 << 20);
  topic.raise(1);
  keep(topic, 1, {7, 8, 7, 9});
  EXPECT_EQ(values(topic), (std::vector<Value>{{2, 8}, {3, 7}, {4, 9}}));
  keep(topic, 5, {8});
  EXPECT_EQ(values(topic), (std::vector<Value>{{3, 7}, {4, 9}, {5, 8}}));
  EXPECT_EQ(topic.newest(9, 0).batch->envelope.first_seq + topic.newest(9, 0).first, 4u);
  EXPECT_EQ(topic.newest(10, 0).batch, nullptr);
  expect_balance(topic);
}

TEST_F(Retained, TheLargestWishWins) {
  RetainedTopic topic(1 << 20);
  topic.raise(2);
  topic.raise(1);
  keep(topic, 1, {0, 0, 0});
  EXPECT_EQ(topic.messages(), 2u);
}

TEST_F(Retained, WhatIsOverTheBoundGoesOldestFirstAndIsCounted) {
  RetainedTopic topic(40'000);
  topic.raise(1000);
  for (std::uint64_t seq = 1; seq <= 200; ++seq) keep(topic, seq, {seq});
  EXPECT_LE(topic.bytes(), 40'000u);
  EXPECT_GT(topic.messages(), 50u);
  EXPECT_EQ(topic.totals().evicted, 200 - topic.messages());
  EXPECT_EQ(values(topic).back(), (Value{200, 200}));
  expect_balance(topic);
}

TEST_F(Retained, AMessageLargerThanTheBoundIsNotKept) {
  RetainedTopic topic(2000);
  topic.raise(1);
  topic.keep(batch(1, 1, 0, 4000), 0, 1, {});
  EXPECT_TRUE(topic.is_empty());
  EXPECT_EQ(topic.bytes(), 0u);
  expect_balance(topic);
}

TEST_F(Retained, WhatExpiresIsNotGivenOutAndIsCounted) {
  RetainedTopic topic(1 << 20);
  topic.raise(3);
  keep(topic, 1, {1, 2}, 50);
  keep(topic, 3, {1});
  EXPECT_EQ(values(topic, 49).size(), 3u);
  EXPECT_EQ(values(topic, 50), (std::vector<Value>{{3, 1}}));
  EXPECT_EQ(topic.newest(2, 50).batch, nullptr);
  EXPECT_EQ(topic.newest(0, 50).batch->envelope.first_seq, 3u);
  topic.expire(50);
  EXPECT_EQ(topic.totals().expired, 2u);
  EXPECT_EQ(topic.messages(), 1u);
  expect_balance(topic);
}

TEST_F(Retained, WhatIsRestoredStandsWhereItWasSent) {
  RetainedTopic topic(1 << 20);
  topic.raise(2);
  keep(topic, 10, {0});
  keep(topic, 30, {0});
  EXPECT_EQ(topic.restore(batch(5, 1), 0, 1, {}), nullptr);  // older than both
  EXPECT_NE(topic.restore(batch(20, 1), 0, 1, {}), nullptr);
  EXPECT_EQ(values(topic), (std::vector<Value>{{20, 0}, {30, 0}}));
  EXPECT_NE(topic.restore(batch(40, 1), 0, 1, {}), nullptr);
  EXPECT_EQ(values(topic), (std::vector<Value>{{30, 0}, {40, 0}}));
  expect_balance(topic);
}

TEST_F(Retained, BuffersComeHome) {
  {
    RetainedTopic topic(1 << 20);
    topic.raise(1);
    for (std::uint64_t seq = 1; seq <= 100; ++seq) keep(topic, seq, {seq % 5});
    EXPECT_EQ(pool_.counters().bytes_out, 5 * 128u);
  }
  EXPECT_EQ(pool_.counters().bytes_out, 0u);
}

// Against a plain reference: of each key the last n in a deque.
TEST_F(Retained, RandomMessagesAreKeptAsAPlainModelKeepsThem) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    base::Random random(seed);
    const auto limit = static_cast<std::uint32_t>(1 + random.below(4));
    RetainedTopic topic(1 << 24);
    topic.raise(limit);
    std::map<std::uint64_t, std::deque<std::uint64_t>> model;
    std::uint64_t seq = 1;
    for (int step = 0; step < 200; ++step) {
      std::vector<std::uint64_t> keys(1 + random.below(6));
      for (std::uint64_t& key : keys) key = random.below(5);
      keep(topic, seq, keys);
      for (const std::uint64_t key : keys) {
        auto& last = model[key];
        last.push_back(seq++);
        if (last.size() > limit) last.pop_front();
      }
      std::map<std::uint64_t, std::uint64_t> expected;  // by sequence
      for (const auto& [key, last] : model)
        for (const std::uint64_t number : last) expected[number] = key;
      std::vector<Value> in_order;
      for (const auto& [number, key] : expected) in_order.push_back({number, key});
      ASSERT_EQ(values(topic), in_order) << "seed " << seed << " step " << step;
      expect_balance(topic);
    }
  }
}

class Store : public Retained {
 protected:
  static constexpr std::uint64_t bytes_max = 100'000;
  std::uint64_t counted(RetainedCounter id, std::string_view name = {}) {
    for (const RowSnapshot& row : stats_->snapshot().rows)
      if (row.kind == RowKind::retained && row.text == name) return row.get(id);
    return 0;
  }
  std::vector<std::uint64_t> snapshot(std::string_view pattern) {
    std::vector<std::uint64_t> all;
    store_.for_each(pattern, 0, [&](RetainedStore::Topic&, std::vector<RetainedPiece>& pieces) {
      for (const RetainedPiece& piece : pieces) all.push_back(piece.batch->envelope.first_seq);
    });
    return all;
  }

  std::unique_ptr<StatsFile> stats_ = StatsFile::create("", {}, 64).value();
  RetainedStore store_{stats_.get(), bytes_max};
};

TEST_F(Store, GivesWhatMatchesAPattern) {
  store_.keep(store_.join("a.b", 1), batch(1, 1), 0, 1, {});
  store_.keep(store_.join("a.c", 1), batch(2, 1), 0, 1, {});
  EXPECT_EQ(snapshot("a.c"), (std::vector<std::uint64_t>{2}));
  EXPECT_EQ(snapshot("a.*").size(), 2u);
  EXPECT_TRUE(snapshot("b.>").empty());
  EXPECT_EQ(counted(RetainedCounter::snapshots), 3u);
  EXPECT_EQ(counted(RetainedCounter::snapshot_messages, "a.c"), 2u);
}

TEST_F(Store, KeepsBeyondItsPublishersAndForgetsWhatIsEmpty) {
  RetainedStore::Topic& topic = store_.join("a", 1);
  store_.leave(topic);
  EXPECT_EQ(store_.find("a"), nullptr);
  RetainedStore::Topic& again = store_.join("a", 1);
  store_.keep(again, batch(1, 1, 50), 0, 1, {});
  store_.leave(again);
  ASSERT_NE(store_.find("a"), nullptr);
  EXPECT_FALSE(store_.is_empty());
  store_.expire(50);
  EXPECT_EQ(store_.find("a"), nullptr);
  EXPECT_TRUE(store_.is_empty());
  EXPECT_EQ(counted(RetainedCounter::kept), 1u);
  EXPECT_EQ(counted(RetainedCounter::expired), 1u);
}

TEST_F(Store, CountsHitsAndMisses) {
  RetainedStore::Topic& topic = store_.join("a", 1);
  store_.keep(topic, batch(1, 1), 0, 1, std::vector<std::uint64_t>{7});
  EXPECT_NE(store_.get("a", 0, 0).batch, nullptr);
  EXPECT_NE(store_.get("a", 7, 0).batch, nullptr);
  EXPECT_EQ(store_.get("a", 8, 0).batch, nullptr);
  EXPECT_EQ(store_.get("b", 0, 0).batch, nullptr);
  EXPECT_EQ(counted(RetainedCounter::hits), 2u);
  EXPECT_EQ(counted(RetainedCounter::misses), 2u);
  EXPECT_EQ(counted(RetainedCounter::misses, "a"), 1u);
}

TEST_F(Store, IsBoundedInAllAndTheOldestGoesFirst) {
  std::vector<RetainedStore::Topic*> topics;
  for (int index = 0; index < 10; ++index)
    topics.push_back(&store_.join("t." + std::to_string(index), 1000));
  for (std::uint64_t seq = 1; seq <= 1000; ++seq)
    store_.keep(*topics[seq % topics.size()], batch(seq, 1), 0, 1, {});
  EXPECT_LE(store_.bytes(), bytes_max);
  EXPECT_GT(store_.messages(), 100u);
  std::vector<std::uint64_t> left = snapshot("t.*");
  std::sort(left.begin(), left.end());
  for (std::size_t index = 0; index < left.size(); ++index)
    EXPECT_EQ(left[index], 1000 - left.size() + 1 + index);
  EXPECT_EQ(counted(RetainedCounter::kept), 1000u);
  EXPECT_EQ(counted(RetainedCounter::evicted), 1000 - store_.messages());
  EXPECT_EQ(counted(RetainedCounter::messages), store_.messages());
}

}  // namespace
}  // namespace abuzz::delivery
