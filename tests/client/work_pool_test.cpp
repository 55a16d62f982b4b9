#include "bus/client/work_pool.hpp"

#include "tests/client/work_fixture.hpp"

// Who runs what, and how many there are: on a clock that the test moves.

namespace abuzz::client::test {
namespace {

using WorkPoolTest = WorkTest;

constexpr base::Nanos look = PoolSize::interval;

TEST_F(WorkPoolTest, has_no_thread_before_somebody_needs_one) {
  make_pool({0, 0});
  EXPECT_TRUE(host_->started.empty());
  const Core core = subscribe({.concurrency = 8});
  EXPECT_EQ(host_->started, (std::vector<std::size_t>{0, 1}));
}

TEST_F(WorkPoolTest, refuses_a_subscription_where_no_thread_is_to_be_had) {
  make_pool({0, 0});
  host_->refuses = true;
  const Core core = std::make_shared<SubscriptionCore>(
      "t", SubscribeOptions{.concurrency = 2}, Handler(ignore), clock_, memory_pool_,
      wire::VerifyLimits{}, stats_->add_row(RowKind::subscription, {}, "t"));
  EXPECT_FALSE(pool_->open(core));
  EXPECT_EQ(core.use_count(), 1);
}

TEST_F(WorkPoolTest, what_waits_behind_a_long_handler_is_taken_by_others) {
  make_pool({0, 0});
  const Core core = subscribe({.concurrency = 6});
  arrive(*core, {0, 0, 0, 0, 0, 0});
  pool_->step();
  Work* const longest = begin(0);
  ASSERT_NE(longest, nullptr);
  pool_->step();
  std::size_t taken = 0;
  while (work(1)) ++taken;
  EXPECT_EQ(taken, 5u);
  clock_.advance(look);
  pool_->step();
  EXPECT_EQ(stats_->process().get(ProcessCounter::calls_stolen), 2u);
  pool_->finish(0, *longest);
  EXPECT_EQ(done(*core), 6u);
}

TEST_F(WorkPoolTest, a_thief_asks_under_its_own_cache_first) {
  make_pool({0, 1, 0, 1});
  const Core core = subscribe({.concurrency = 16});
  arrive(*core, std::vector<std::uint64_t>(12, 0));
  pool_->step();  // two ahead of each of the four
  std::vector<std::pair<std::size_t, Work*>> running;
  for (const std::size_t place : {0u, 1u, 2u}) running.emplace_back(place, begin(place));
  pool_->step();
  // Its own two, then what the one under its cache has: places 1 and 3.
  for (int own = 0; own < 2; ++own) running.emplace_back(3, begin(3));
  const std::uint64_t near_before = running[1].second->views.front().sequence();
  Work* const stolen = begin(3);
  ASSERT_NE(stolen, nullptr);
  // Dealt in turn: place p got the messages p + 1, p + 5 and p + 9.
  EXPECT_EQ(stolen->views.front().sequence() % 4, near_before % 4);
  running.emplace_back(3, stolen);
  for (const auto& [place, work] : running) pool_->finish(place, *work);
}

TEST_F(WorkPoolTest, before_its_own_a_worker_takes_what_stands_behind_one_that_is_stuck) {
  make_pool({0, 0});
  const Core core = subscribe({.concurrency = 8});
  arrive(*core, {0, 0, 0, 0, 0, 0});
  pool_->step();
  Work* const stuck = begin(0);
  pool_->step();
  clock_.advance(WorkPool::stuck_after);
  Work* const behind = begin(1);
  ASSERT_NE(behind, nullptr);
  EXPECT_EQ(behind->views.front().sequence(), 3u) << "its own first one is the second";
  pool_->finish(1, *behind);
  pool_->finish(0, *stuck);
}

// Handlers as they were recorded from a team at work: many of some 50 us, a few that sleep for
// 20 ms to 1 s. Bulk is never the highest that waits.
TEST_F(WorkPoolTest, no_lane_waits_longer_than_its_bound_in_a_mix_of_short_and_long) {
  make_pool({0, 0});
  const Core core = subscribe({.concurrency = 16});
  constexpr base::Nanos recorded[] = {
      50 * base::microsecond,  40 * base::microsecond, 55 * base::microsecond,
      20 * base::millisecond,  45 * base::microsecond, 60 * base::microsecond,
      35 * base::microsecond,  50 * base::microsecond, 400 * base::millisecond,
      50 * base::microsecond,  30 * base::microsecond, 52 * base::microsecond,
      100 * base::millisecond, 48 * base::microsecond, 51 * base::microsecond,
      1000 * base::millisecond};
  struct Running {
    base::Nanos ends = 0;
    Work* work = nullptr;
  };
  std::vector<Running> running(8);
  std::map<std::uint64_t, base::Nanos> bulk_arrived;
  base::Nanos longest_wait = 0;
  std::size_t next = 0, bulk_handled = 0;
  std::uint64_t bulk_seq = 0;
  const base::Nanos end = clock_.now() + 20 * base::second;
  base::Nanos bulk_at = clock_.now();
  while (clock_.now() < end) {
    // High is never empty.
    while (core->report().received - core->report().handled < 600) {
      arrive(*core, std::vector<std::uint64_t>(64, 0), {.lane = Lane::high, .publisher = 1});
      pool_->step();
    }
    if (clock_.now() >= bulk_at) {
      bulk_at += 2 * base::second;
      arrive(*core, {0}, {.lane = Lane::bulk, .publisher = 2});
      bulk_arrived[++bulk_seq] = clock_.now();
      pool_->step();
    }
    base::Nanos first_end = end;
    for (std::size_t place = 0; place < pool_->size(); ++place) {
      Running& worker = running[place];
      if (worker.work != nullptr && worker.ends <= clock_.now()) {
        pool_->finish(place, *worker.work);
        worker.work = nullptr;
      }
      if (worker.work == nullptr && (worker.work = begin(place)) != nullptr) {
        worker.ends = clock_.now() + recorded[next++ % std::size(recorded)];
        const MessageView& message = worker.work->views.front();
        if (message.lane() == Lane::bulk) {
          longest_wait = std::max(longest_wait, clock_.now() - bulk_arrived[message.sequence()]);
          ++bulk_handled;
        }
      }
      if (worker.work != nullptr) first_end = std::min(first_end, worker.ends);
    }
    clock_.advance(std::max<base::Nanos>(first_end - clock_.now(), base::microsecond));
  }
  // Patience, and sixteen calls that pass it, as long as each may take, on this many workers; then
  // at most two that stand before it, and the look at who is stuck.
  const base::Nanos sixteen = 1600 * base::millisecond;  // any sixteen in a row
  const base::Nanos bound = delivery::LaneTurn::patience + sixteen +
                            static_cast<base::Nanos>(WorkPool::ahead_max) * base::second;
  EXPECT_GE(bulk_handled, 8u);
  EXPECT_LE(longest_wait, bound);
  RecordProperty("longest_wait_ms", static_cast<int>(longest_wait / base::millisecond));
  for (std::size_t place = 0; place < running.size(); ++place)
    if (running[place].work != nullptr) pool_->finish(place, *running[place].work);
}

TEST_F(WorkPoolTest, grows_while_handlers_sleep_and_loses_nothing_when_it_shrinks) {
  make_pool({0, 0});
  std::uint64_t handled = 0;
  const Core core = subscribe({.concurrency = 64}, Handler([&](const MessageView&) { ++handled; }));
  std::uint64_t sent = 0;
  const auto send = [&](std::size_t count) {
    arrive(*core, std::vector<std::uint64_t>(count, 0));
    sent += count;
    pool_->step();
  };
  std::map<std::size_t, Work*> running;
  for (int tick = 0; tick < 40; ++tick) {
    send(20);
    for (std::size_t place = 0; place < pool_->size(); ++place) {
      if (running[place] != nullptr) pool_->finish(place, *running[place]);
      running[place] = begin(place);
    }
    clock_.advance(look);
    pool_->step();
  }
  EXPECT_EQ(pool_->size(), 8u) << "four a core";
  for (auto& [place, work] : running)
    if (work != nullptr) pool_->finish(place, *work);
  // All have something in front of them, and then there is little to do.
  std::size_t least = pool_->size();
  for (int tick = 0; tick < 400; ++tick) {
    if (tick % 4 == 0) send(1);
    clock_.advance(look);
    pool_->step();
    // Who stays works; who is too many works off what it has, and leaves.
    for (std::size_t place = 0; place < 8; ++place) (void)work(place);
    for (std::size_t place = pool_->size(); place < 8; ++place) (void)pool_->sleep(place);
    least = std::min(least, pool_->size());
  }
  EXPECT_EQ(least, 2u);
  while (work(0)) {
  }
  EXPECT_EQ(handled, sent);
  EXPECT_EQ(done(*core), sent);
  EXPECT_EQ(stats_->process().get(ProcessCounter::workers_shrunk), 6u);
}

TEST_F(WorkPoolTest, drained_is_what_was_begun_and_nothing_more_is) {
  make_pool({0, 0});
  const Core core = subscribe({.concurrency = 4});
  arrive(*core, {0, 0, 0});
  pool_->step();
  EXPECT_FALSE(pool_->drain());
  arrive(*core, {0, 0});
  while (work(0)) {
  }
  EXPECT_TRUE(pool_->drain());
  EXPECT_EQ(done(*core), 3u);
}

TEST_F(WorkPoolTest, once_it_is_stopped_no_handler_begins) {
  make_pool({0, 0});
  int given = 0;
  const Core core = subscribe({.concurrency = 4}, Handler([&](const MessageView&) { ++given; }));
  arrive(*core, {0, 0, 0});
  pool_->step();
  Work* const running = begin(0);
  pool_->stop();
  while (work(0) || work(1)) {
  }
  pool_->finish(0, *running);
  EXPECT_EQ(given, 1);
  EXPECT_EQ(done(*core), 1u) << "what was handled is told, what was not is not";
}

}  // namespace
}  // namespace abuzz::client::test
