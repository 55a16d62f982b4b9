#include "bus/delivery/dead_store.hpp"

#include <gtest/gtest.h>

#include "bus/mem/pool.hpp"

namespace abuzz::delivery {
namespace {

class DeadStoreTest : public ::testing::Test {
 protected:
  std::size_t add(DeadStore& store, const std::string& topic, std::size_t bytes = 100) {
    DeadStore::Letter letter;
    letter.slice = pool_.try_acquire(bytes);
    EXPECT_TRUE(letter.slice);
    letter.id = ++last_id_;
    letter.seq = ++seqs_[topic];
    return store.add(topic, std::move(letter));
  }

  static constexpr mem::SizeClass classes[] = {{128, 4096, 4096}, {1 << 20, 16, 32}};
  mem::ProcessMemory memory_;
  mem::Pool pool_{classes, memory_};
  std::uint64_t last_id_ = 0;
  std::map<std::string, std::uint64_t> seqs_;
};

TEST_F(DeadStoreTest, KeepsTheLastThousandOfATopic) {
  DeadStore store(64 * base::mib);
  for (std::size_t index = 0; index < DeadStore::letters_max; ++index)
    EXPECT_EQ(add(store, "$dead.a"), 0u);
  EXPECT_EQ(add(store, "$dead.a"), 1u);
  EXPECT_EQ(store.count(), DeadStore::letters_max);
  EXPECT_EQ(store.letters("$dead.a")->front().seq, 2u);
  EXPECT_EQ(store.letters("$dead.b"), nullptr);
}

TEST_F(DeadStoreTest, KeepsSoManyBytesOfATopic) {
  DeadStore store(64 * base::mib);
  std::size_t dropped = 0;
  for (int index = 0; index < 10; ++index) dropped += add(store, "$dead.a", 1 << 20);
  EXPECT_LE(store.bytes(), DeadStore::bytes_max);
  EXPECT_EQ(dropped + store.count(), 10u);
  EXPECT_EQ(store.letters("$dead.a")->back().seq, 10u);
}

TEST_F(DeadStoreTest, TheOldestOfAllMakesRoomForAll) {
  DeadStore store(1000);
  add(store, "$dead.old");
  for (int index = 0; index < 20; ++index) add(store, "$dead.new");
  EXPECT_EQ(store.letters("$dead.old"), nullptr);
  EXPECT_LE(store.bytes(), 1000u);
}

TEST_F(DeadStoreTest, ForgetsTopicsWhenThereAreTooMany) {
  DeadStore store(64 * base::mib);
  for (std::size_t index = 0; index <= DeadStore::topics_max; ++index)
    add(store, "$dead." + std::to_string(index));
  EXPECT_EQ(store.letters("$dead.0"), nullptr);
  EXPECT_EQ(store.count(), DeadStore::topics_max);
}

}  // namespace
}  // namespace abuzz::delivery
