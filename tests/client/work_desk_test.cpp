#include "bus/client/work_desk.hpp"

#include "bus/base/random.hpp"
#include "tests/client/work_fixture.hpp"

// What may be given to handlers, and what a node is told of it, whatever the order of their ends.

namespace abuzz::client::test {
namespace {

class WorkDeskTest : public WorkTest {
 protected:
  void SetUp() override { make_pool({0, 0}); }
};

TEST_F(WorkDeskTest, messages_without_a_key_run_beside_each_other) {
  const Core core = subscribe({.concurrency = 2});
  arrive(*core, {0, 0, 0});
  pool_->step();
  Work* const first = begin(0);
  Work* const second = begin(1);
  ASSERT_NE(first, nullptr);
  ASSERT_NE(second, nullptr);
  pool_->step();
  EXPECT_EQ(begin(0), nullptr) << "two at once, and no more";
  pool_->finish(0, *first);
  EXPECT_TRUE(work(0));
  pool_->finish(1, *second);
  EXPECT_EQ(done(*core), 3u);
}

TEST_F(WorkDeskTest, a_message_waits_for_those_before_it_with_its_key) {
  const Core core = subscribe({.concurrency = 4});
  arrive(*core, {5, 5, 6});
  pool_->step();
  Work* const five = begin(0);
  ASSERT_NE(five, nullptr);
  EXPECT_EQ(key_of(*five), 5u);
  Work* const six = begin(1);
  ASSERT_NE(six, nullptr);
  EXPECT_EQ(key_of(*six), 6u);
  EXPECT_EQ(begin(1), nullptr);
  pool_->finish(1, *six);
  EXPECT_EQ(begin(1), nullptr) << "the second 5, beside the first";
  pool_->finish(0, *five);
  Work* const next = begin(1);
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(key_of(*next), 5u);
  EXPECT_EQ(next->views.front().sequence(), 2u);
  pool_->finish(1, *next);
}

TEST_F(WorkDeskTest, equal_keys_of_two_publishers_are_two_orders) {
  const Core core = subscribe({.concurrency = 4});
  arrive(*core, {5}, {.publisher = 1});
  arrive(*core, {5}, {.publisher = 2});
  pool_->step();
  Work* const one = begin(0);
  Work* const two = begin(1);
  ASSERT_NE(one, nullptr);
  ASSERT_NE(two, nullptr);
  pool_->finish(0, *one);
  pool_->finish(1, *two);
}

TEST_F(WorkDeskTest, what_is_told_as_handled_has_nothing_open_before_it) {
  const Core core = subscribe({.concurrency = 4});
  arrive(*core, {0, 0});
  arrive(*core, {0});
  pool_->step();
  Work* const first = begin(0);
  Work* const second = begin(1);
  Work* const third = begin(1);
  ASSERT_NE(third, nullptr);
  pool_->finish(1, *third);
  EXPECT_EQ(done(*core), 0u);
  EXPECT_EQ(core->consumed_messages.read(), 0u) << "the window, before the delivery is over";
  pool_->finish(0, *first);
  EXPECT_EQ(done(*core), 1u) << "in the middle of a batch";
  pool_->finish(1, *second);
  EXPECT_EQ(done(*core), 3u);
  EXPECT_EQ(core->consumed_messages.read(), 3u);
  EXPECT_EQ(core->report().handled, 3u);
}

TEST_F(WorkDeskTest, at_most_so_many_messages_of_a_lane_are_begun) {
  const Core core = subscribe({.concurrency = 2});
  for (int batch = 0; batch < 300; ++batch) arrive(*core, std::vector<std::uint64_t>(8, 0));
  pool_->step();
  EXPECT_EQ(core->report().received, WorkDesk::in_hand_max);
  std::size_t handled = 0;
  while (work(0)) ++handled;
  EXPECT_EQ(handled, 2400u);
  EXPECT_EQ(done(*core), 2400u);
}

TEST_F(WorkDeskTest, what_an_earlier_registration_had_counts_for_nobody) {
  const Core core = subscribe({.concurrency = 4});
  arrive(*core, {0});
  pool_->step();
  Work* const old = begin(0);
  arrive(*core, {0, 0}, {.publisher = 2, .generation = 2});
  pool_->step();
  EXPECT_EQ(done(*core), 0u);
  pool_->finish(0, *old);
  EXPECT_EQ(done(*core), 0u) << "the number of another registration";
  EXPECT_EQ(core->consumed_messages.read(), 0u);
}

TEST_F(WorkDeskTest, what_is_over_its_time_is_refused_in_one_range) {
  const Core core = subscribe({.concurrency = 2});
  const base::Nanos limit = clock_.now() + base::second;
  arrive(*core, {9, 9, 0, 0, 0, 0}, {.expires_at = limit});
  pool_->step();
  Work* const nine = begin(0);
  Work* const free = begin(1);
  ASSERT_NE(free, nullptr);
  EXPECT_EQ(free->views.front().sequence(), 3u);
  clock_.advance(2 * base::second);
  pool_->finish(1, *free);
  EXPECT_EQ(begin(1), nullptr);
  pool_->finish(0, *nine);
  EXPECT_TRUE(work(0)) << "the second 9 stands before one that a handler had";
  Refusal refusal;
  ASSERT_EQ(verdicts_.pop(&refusal, 1), 1u);
  EXPECT_EQ(refusal.verdict.first_delivery, 4u);
  EXPECT_EQ(refusal.verdict.count, 3u);
  EXPECT_EQ(verdicts_.pop(&refusal, 1), 0u);
  EXPECT_EQ(done(*core), 6u);
  EXPECT_EQ(core->report().handled, 3u);
}

TEST_F(WorkDeskTest, an_ended_subscription_lets_go_of_what_waits) {
  const Core core = subscribe({.concurrency = 4});
  arrive(*core, {0, 0, 0, 0});
  pool_->step();
  Work* const first = begin(0);
  Work* const second = begin(0);
  pool_->finish(0, *second);
  core->is_closing.publish_fenced(true);
  EXPECT_EQ(done(*core), 0u);
  pool_->finish(0, *first);
  EXPECT_EQ(done(*core), 1u) << "the second one is not over";
  pool_->end(*core);
  while (work(0)) {
  }
  while (work(1)) {
  }
  EXPECT_EQ(core->report().handled, 0u) << "no delivery was over";
  EXPECT_EQ(done(*core), 1u);
  EXPECT_EQ(core.use_count(), 1) << "the pool has let go";
}

// Every order of ends, of any mix of keys, keeps what is promised.
TEST_F(WorkDeskTest, random_ends_keep_order_and_count) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    base::Random random(seed);
    const auto concurrency = static_cast<std::uint32_t>(2 + random.next() % 7);
    std::map<std::uint64_t, std::uint64_t> last;  // by key
    std::uint64_t given = 0;
    const Core core =
        subscribe({.concurrency = concurrency}, Handler([&](const MessageView& message) {
                    ++given;
                    if (message.key() == 0) return;
                    EXPECT_GT(message.sequence(), last[message.key()]) << "seed " << seed;
                    last[message.key()] = message.sequence();
                  }));
    std::vector<std::pair<std::size_t, Work*>> running;
    std::uint64_t sent = 0;
    std::map<std::uint64_t, int> keys_running;
    const std::uint32_t publisher = static_cast<std::uint32_t>(seed);
    for (int step = 0; step < 400 || !running.empty() || done(*core) < sent; ++step) {
      ASSERT_LT(step, 20'000) << "seed " << seed;
      if (step < 400 && random.next() % 3 == 0) {
        std::vector<std::uint64_t> keys(1 + random.next() % 5);
        for (auto& key : keys) key = random.next() % 6;
        arrive(*core, keys, {.publisher = publisher});
        sent += keys.size();
        pool_->step();
      }
      const std::size_t place = random.next() % pool_->size();
      if (random.next() % 2 == 0) {
        if (Work* const work = begin(place)) {
          EXPECT_TRUE(key_of(*work) == 0 || ++keys_running[key_of(*work)] == 1) << "seed " << seed;
          running.emplace_back(place, work);
        }
      } else if (!running.empty()) {
        const std::size_t index = random.next() % running.size();
        --keys_running[key_of(*running[index].second)];
        pool_->finish(running[index].first, *running[index].second);
        running.erase(running.begin() + static_cast<std::ptrdiff_t>(index));
      }
      EXPECT_LE(running.size(), concurrency);
      EXPECT_LE(done(*core), given);
    }
    EXPECT_EQ(given, sent) << "seed " << seed;
    core->is_closing.publish_fenced(true);
    pool_->end(*core);
  }
}

// --- Many messages a call. ---

TEST_F(WorkDeskTest, a_batch_is_given_when_it_is_full) {
  std::vector<std::size_t> sizes;
  const Core core =
      subscribe({.concurrency = 2, .batch_max = 4},
                BatchHandler([&](auto messages) { sizes.push_back(messages.size()); }));
  arrive(*core, {0, 0, 0});
  pool_->step();
  EXPECT_FALSE(work(0));
  arrive(*core, {0, 0, 0});
  pool_->step();
  EXPECT_TRUE(work(0));
  EXPECT_FALSE(work(0));
  EXPECT_EQ(sizes, (std::vector<std::size_t>{4}));
  EXPECT_EQ(done(*core), 4u) << "all of it together";
}

TEST_F(WorkDeskTest, a_batch_is_given_when_its_first_message_has_waited) {
  std::vector<std::size_t> sizes;
  const Core core =
      subscribe({.concurrency = 2, .batch_max = 64, .batch_wait = std::chrono::microseconds(500)},
                BatchHandler([&](auto messages) { sizes.push_back(messages.size()); }));
  arrive(*core, {0, 0});
  pool_->step();
  const base::Nanos due = pool_->deadline();
  EXPECT_EQ(due, clock_.now() + 500 * base::microsecond);
  clock_.advance(400 * base::microsecond);
  arrive(*core, {0});
  pool_->step();
  EXPECT_EQ(pool_->deadline(), due) << "it counts from the first";
  EXPECT_FALSE(work(0));
  clock_.advance(100 * base::microsecond);
  pool_->step();
  EXPECT_TRUE(work(0));
  EXPECT_EQ(sizes, (std::vector<std::size_t>{3}));
  EXPECT_EQ(pool_->deadline(), -1) << "nothing waits: nobody is woken for it";
}

TEST_F(WorkDeskTest, equal_keys_stand_in_one_batch_in_order_and_in_two_one_after_the_other) {
  std::vector<std::vector<std::uint64_t>> batches;
  const Core core = subscribe({.concurrency = 4, .batch_max = 3}, BatchHandler([&](auto messages) {
                                auto& batch = batches.emplace_back();
                                for (const MessageView& message : messages)
                                  batch.push_back(message.sequence());
                              }));
  arrive(*core, {7, 7, 7, 7, 7, 7});
  pool_->step();
  clock_.advance(base::second);
  pool_->step();
  Work* const first = begin(0);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(begin(1), nullptr);
  pool_->finish(0, *first);
  EXPECT_TRUE(work(1));
  EXPECT_EQ(batches, (std::vector<std::vector<std::uint64_t>>{{1, 2, 3}, {4, 5, 6}}));
  EXPECT_EQ(done(*core), 6u);
}

TEST_F(WorkDeskTest, one_batch_at_a_time_is_the_work_of_the_runner) {
  std::size_t handled = 0;
  const Core core =
      subscribe({.batch_max = 2}, BatchHandler([&](auto messages) { handled += messages.size(); }));
  EXPECT_EQ(pool_->size(), 0u) << "no worker is there for it";
  arrive(*core, {0, 0, 0, 0});
  pool_->step();
  ASSERT_TRUE(pool_->has_serial());
  Work* const batch = pool_->begin_serial();
  ASSERT_NE(batch, nullptr);
  EXPECT_EQ(pool_->begin_serial(), nullptr);
  pool_->call(*batch);
  pool_->finish_serial(*batch);
  EXPECT_EQ(handled, 2u);
  EXPECT_EQ(done(*core), 2u);
  EXPECT_TRUE(pool_->has_serial());
}

}  // namespace
}  // namespace abuzz::client::test
