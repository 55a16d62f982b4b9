#include "bus/queue/intake.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace abuzz::queue {
namespace {

constexpr std::size_t quota = 64;
using Numbers = Intake<std::uint64_t, quota>;

std::size_t push_until_refused(Numbers::Producer& producer) {
  std::size_t pushed = 0;
  while (producer.try_push(pushed + 0)) ++pushed;
  return pushed;
}

std::size_t drain(Numbers& intake) {
  std::array<std::uint64_t, 100> items;
  std::size_t drained = 0;
  while (const std::size_t popped = intake.pop(items.data(), items.size())) drained += popped;
  return drained;
}

TEST(Intake, KeepsTheOrderOfAProducer) {
  Numbers intake(2);
  Numbers::Producer producer = intake.producer();
  for (std::uint64_t value = 0; value < 50; ++value) ASSERT_TRUE(producer.try_push(value + 0));
  std::array<std::uint64_t, 7> items;
  std::uint64_t expected = 0;
  while (const std::size_t popped = intake.pop(items.data(), items.size())) {
    for (std::size_t index = 0; index < popped; ++index) EXPECT_EQ(items[index], expected++);
  }
  EXPECT_EQ(expected, 50u);
}

TEST(Intake, RefusesAtTheQuotaAndLeavesTheItemUnchanged) {
  Intake<std::unique_ptr<int>, 4> intake(1);
  auto producer = intake.producer();
  for (int value = 0; value < 4; ++value) {
    ASSERT_TRUE(producer.try_push(std::make_unique<int>(value)));
  }
  auto fifth = std::make_unique<int>(4);
  EXPECT_FALSE(producer.try_push(std::move(fifth)));
  ASSERT_NE(fifth, nullptr);
  EXPECT_EQ(*fifth, 4);
}

template <std::size_t Quota>
void expect_exact_quota() {
  Intake<int, Quota> intake(1);
  auto producer = intake.producer();
  int item = 0;
  for (std::size_t offset = 0; offset < 3 * Quota + 40; ++offset) {
    std::size_t pushed = 0;
    while (producer.try_push(item + 0)) ++pushed;
    ASSERT_EQ(pushed, offset == 0 ? Quota : 1) << "quota " << Quota << " at " << offset;
    ASSERT_EQ(intake.pop(&item, 1), 1u);
  }
}

TEST(Intake, TheQuotaIsExactWhateverItsSize) {
  expect_exact_quota<1>();
  expect_exact_quota<2>();
  expect_exact_quota<3>();
  expect_exact_quota<37>();
  expect_exact_quota<64>();
  expect_exact_quota<100>();
  expect_exact_quota<1024>();
}

TEST(Intake, DestroysWhatIsLeftInIt) {
  const auto counted = std::make_shared<int>(0);
  {
    Intake<std::shared_ptr<int>, 16> intake(20);
    std::vector<Intake<std::shared_ptr<int>, 16>::Producer> producers;
    for (int count = 0; count < 20; ++count) producers.push_back(intake.producer());
    for (auto& producer : producers) {
      for (int item = 0; item < 9; ++item) {
        auto copy = counted;
        ASSERT_TRUE(producer.try_push(std::move(copy)));
      }
    }
    std::array<std::shared_ptr<int>, 33> some;
    ASSERT_EQ(intake.pop(some.data(), some.size()), some.size());
    EXPECT_EQ(counted.use_count(), 1 + 20 * 9);
    producers.clear();
  }
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(Intake, GivesNoMoreProducersThanItWasMadeFor) {
  Numbers intake(17);
  std::vector<Numbers::Producer> producers;
  for (int count = 0; count < 17; ++count) {
    producers.push_back(intake.producer());
    EXPECT_TRUE(static_cast<bool>(producers.back()));
  }
  Numbers::Producer refused = intake.producer();
  EXPECT_FALSE(static_cast<bool>(refused));
  EXPECT_FALSE(refused.try_push(1));
  producers.erase(producers.begin() + 3);
  refused = intake.producer();
  EXPECT_TRUE(refused.try_push(1));
}

TEST(Intake, MovesProducersAndReusesThePlacesOfDestroyedOnes) {
  Numbers intake(2);
  for (std::uint64_t round = 0; round < 1000; ++round) {
    Numbers::Producer first = intake.producer();
    Numbers::Producer second = intake.producer();
    ASSERT_TRUE(first && second);
    ASSERT_TRUE(first.try_push(round + 0));
    second = std::move(first);
    EXPECT_FALSE(first.try_push(0));  // NOLINT(bugprone-use-after-move): that is what is tested
    ASSERT_TRUE(second.try_push(round + 1));
    second = std::move(second);
    std::array<std::uint64_t, 3> items;
    ASSERT_EQ(intake.pop(items.data(), items.size()), 2u);
    EXPECT_EQ(items[0], round);
    EXPECT_EQ(items[1], round + 1);
  }
}

TEST(Intake, DeliversWhatADestroyedProducerLeftBehind) {
  Numbers intake(1);
  {
    Numbers::Producer producer = intake.producer();
    for (std::uint64_t value = 0; value < 10; ++value) ASSERT_TRUE(producer.try_push(value + 0));
  }
  Numbers::Producer next = intake.producer();
  ASSERT_TRUE(next.try_push(10));
  EXPECT_EQ(drain(intake), 11u);
}

// Without a quota inside moodycamel the first producer keeps all blocks for ever.
TEST(Intake, TheFirstProducerDoesNotStarveTheSecond) {
  Numbers intake(2);
  Numbers::Producer first = intake.producer();
  Numbers::Producer second = intake.producer();
  // The first one fills up, is drained at every offset inside a block, and fills up again.
  std::array<std::uint64_t, quota> items;
  for (std::size_t round = 0; round < 1000; ++round) {
    push_until_refused(first);
    intake.pop(items.data(), 1 + round % quota);
  }
  push_until_refused(first);
  EXPECT_EQ(push_until_refused(second), quota)
      << "the other one is full, and this one never pushed";
  drain(intake);
  EXPECT_EQ(push_until_refused(first), quota);
  EXPECT_EQ(push_until_refused(second), quota);
  drain(intake);
}

TEST(Intake, ABusyProducerDoesNotHideTheOthersFromTheConsumer) {
  Numbers intake(40);
  std::vector<Numbers::Producer> producers;
  for (int count = 0; count < 40; ++count) producers.push_back(intake.producer());
  constexpr std::uint64_t rare = ~std::uint64_t{0};
  for (std::size_t quiet = 0; quiet < producers.size(); ++quiet) {
    drain(intake);
    ASSERT_TRUE(producers[quiet].try_push(rare + 0));
    // All others always have more than the consumer takes.
    std::array<std::uint64_t, 16> items;
    bool was_seen = false;
    for (int turn = 0; turn < 5'000 && !was_seen; ++turn) {
      for (std::size_t busy = 0; busy < producers.size(); ++busy) {
        if (busy != quiet) push_until_refused(producers[busy]);
      }
      const std::size_t popped = intake.pop(items.data(), items.size());
      for (std::size_t index = 0; index < popped; ++index) was_seen |= items[index] == rare;
    }
    EXPECT_TRUE(was_seen) << "producer " << quiet;
  }
}

TEST(Intake, FindsWhatStandsAnywhereAmongManyPlaces) {
  constexpr std::size_t producers_count = 200;
  Numbers intake(producers_count + 100);
  std::vector<Numbers::Producer> producers;
  for (std::size_t count = 0; count < producers_count; ++count)
    producers.push_back(intake.producer());
  std::mt19937 random(1);
  for (int round = 0; round < 2'000; ++round) {
    std::vector<std::uint64_t> pushed;
    for (std::uint64_t item = 0; item < round % 5u; ++item) {
      const std::size_t producer = random() % producers_count;
      if (producers[producer].try_push(std::uint64_t{producer})) pushed.push_back(producer);
    }
    // One at a time, so that each pop begins where the one before ended.
    std::vector<std::uint64_t> popped;
    std::uint64_t item = 0;
    while (intake.pop(&item, 1) == 1) popped.push_back(item);
    std::sort(pushed.begin(), pushed.end());
    std::sort(popped.begin(), popped.end());
    ASSERT_EQ(popped, pushed) << "round " << round;
  }
}

TEST(Intake, AllocatesNothingAfterTheProducersAreMade) {
  Numbers intake(20);
  std::vector<Numbers::Producer> producers;
  for (int count = 0; count < 20; ++count) producers.push_back(intake.producer());
  // What malloc has handed out. Sanitizers replace malloc, and then both numbers are 0.
  const struct mallinfo2 before = mallinfo2();
  for (int round = 0; round < 100; ++round) {
    for (Numbers::Producer& producer : producers) push_until_refused(producer);
    drain(intake);
  }
  const struct mallinfo2 after = mallinfo2();
  EXPECT_EQ(before.uordblks, after.uordblks);
  EXPECT_EQ(before.hblkhd, after.hblkhd);
}

// Each item is made by its producer and read by the consumer: its memory shows a missing order.
struct Item {
  std::unique_ptr<std::uint64_t> sequence;
  std::size_t producer = 0;
};

TEST(Intake, LosesAndReordersNothingWithManyProducers) {
  constexpr std::size_t producers_count = 3;
  constexpr std::uint64_t items_count = 30'000;
  Intake<Item, quota> intake(producers_count);
  std::vector<std::thread> threads;
  for (std::size_t name = 0; name < producers_count; ++name) {
    threads.emplace_back([&intake, name] {
      auto producer = intake.producer();
      for (std::uint64_t sequence = 0; sequence < items_count; ++sequence) {
        Item item{std::make_unique<std::uint64_t>(sequence), name};
        while (!producer.try_push(std::move(item))) std::this_thread::yield();
      }
    });
  }
  std::array<std::uint64_t, producers_count> next{};
  std::array<Item, 3 * quota> items;
  std::uint64_t received = 0;
  while (received < producers_count * items_count) {
    const std::size_t popped = intake.pop(items.data(), items.size());
    if (popped == 0) std::this_thread::yield();
    for (std::size_t index = 0; index < popped; ++index) {
      ASSERT_EQ(*items[index].sequence, next.at(items[index].producer)++);
    }
    received += popped;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(intake.pop(items.data(), items.size()), 0u);
}

// A consumer that runs in the middle of a push makes moodycamel take one more block for ever. With
// MAX_SUBQUEUE_SIZE as the only bound this test fails: a producer collects the others' blocks.
TEST(Intake, EveryProducerReachesItsQuotaAfterAnyRace) {
  constexpr std::size_t producers_count = 3;
  Numbers intake(producers_count);
  std::vector<Numbers::Producer> producers;
  for (std::size_t name = 0; name < producers_count; ++name) {
    producers.push_back(intake.producer());
  }
  std::atomic<bool> is_over{false};
  std::atomic<std::uint64_t> popped_total{0};
  std::thread consumer([&] {
    std::array<std::uint64_t, producers_count * quota> items;
    while (!is_over.load(std::memory_order_relaxed)) {
      popped_total.fetch_add(intake.pop(items.data(), items.size()), std::memory_order_relaxed);
    }
  });
  // All but the last push as fast as they can. The last one never pushes: its share is untouched.
  std::vector<std::thread> threads;
  for (std::size_t name = 0; name + 1 < producers_count; ++name) {
    threads.emplace_back([&, name] {
      while (popped_total.load(std::memory_order_relaxed) < 200'000) {
        push_until_refused(producers[name]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  is_over.store(true, std::memory_order_relaxed);
  consumer.join();
  EXPECT_EQ(push_until_refused(producers.back()), quota);
  drain(intake);
  for (Numbers::Producer& producer : producers) {
    EXPECT_EQ(push_until_refused(producer), quota);
  }
  drain(intake);
}

TEST(Intake, ProducersComeAndGoWhileOthersPushAndPop) {
  Numbers intake(4);
  std::atomic<std::uint64_t> pushed{0};
  std::atomic<int> running{4};
  std::vector<std::thread> threads;
  for (int count = 0; count < 4; ++count) {
    threads.emplace_back([&] {
      for (int life = 0; life < 500; ++life) {
        Numbers::Producer producer = intake.producer();
        ASSERT_TRUE(static_cast<bool>(producer));
        for (int item = 0; item < 20; ++item) {
          if (producer.try_push(1)) pushed.fetch_add(1, std::memory_order_relaxed);
        }
      }
      running.fetch_sub(1, std::memory_order_release);
    });
  }
  std::uint64_t popped = 0;
  while (running.load(std::memory_order_acquire) > 0) popped += drain(intake);
  for (std::thread& thread : threads) thread.join();
  popped += drain(intake);
  EXPECT_EQ(popped, pushed.load());
}

TEST(IntakeDeathTest, AProducerThatOutlivesItsIntakeIsCaught) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto intake = std::make_unique<Numbers>(1);
        Numbers::Producer producer = intake->producer();
        intake.reset();
      },
      "is_free");
}

}  // namespace
}  // namespace abuzz::queue
