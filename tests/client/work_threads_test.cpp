#include <array>
#include <atomic>
#include <thread>

#include "tests/client/work_fixture.hpp"

// A pool on real threads, which ThreadSanitizer can follow: deliveries come from one, handlers run
// on others, and subscriptions end meanwhile.

namespace abuzz::client::test {
namespace {

// Threads that do what workers of an agent do.
class ThreadHost final : public WorkerHost {
 public:
  PoolPlan plan() override { return {{0, 0, 1}}; }
  bool start_worker(std::size_t place) override {
    if (threads_[place].joinable()) threads_[place].join();
    threads_[place] = std::thread([this, place] { run(place); });
    return true;
  }
  base::Nanos cpu_time(std::size_t) override { return 0; }
  void stop() {
    is_over_ = true;
    for (auto& thread : threads_) {
      pool->wake_all();
      if (thread.joinable()) thread.join();
    }
  }
  WorkPool* pool = nullptr;

 private:
  void run(std::size_t place) {
    pool->note_thread(place);
    while (!is_over_) {
      if (Work* const work = pool->begin(place)) {
        pool->call(*work);
        pool->finish(place, *work);
      } else if (!pool->sleep(place)) {
        return;
      }
    }
  }
  std::array<std::thread, 12> threads_;
  std::atomic<bool> is_over_{false};
};

class WorkThreadsTest : public WorkTest {
 protected:
  void SetUp() override {
    pool_ = std::make_unique<WorkPool>(clock_, threads_, stats_->process(), threads_.plan());
    threads_.pool = pool_.get();
  }
  void TearDown() override {
    pool_->stop();
    threads_.stop();
    WorkTest::TearDown();
  }
  void wait_for(const SubscriptionCore& core, std::uint64_t count) {
    while (done(core) < count) {
      pool_->step();
      std::this_thread::yield();
    }
  }
  ThreadHost threads_;
};

TEST_F(WorkThreadsTest, handle_all_of_it_once_and_each_key_in_order) {
  constexpr std::uint64_t batches = 1500;
  std::array<std::atomic<std::uint64_t>, 6> last{};
  std::array<std::uint64_t, 6> plain{};  // by who has the key: ThreadSanitizer sees two at once
  std::atomic<std::uint64_t> handled{0}, wrong{0};
  const Core core = subscribe({.concurrency = 6}, Handler([&](const MessageView& message) {
                                ++handled;
                                if (message.key() == 0) return;
                                if (message.sequence() <= last[message.key()]) ++wrong;
                                last[message.key()] = message.sequence();
                                ++plain[message.key()];
                              }));
  for (std::uint64_t batch = 0; batch < batches; ++batch) {
    arrive(*core, {batch % 6, (batch + 1) % 6, 0});
    pool_->step();
    if (batch % 64 == 0) wait_for(*core, 3 * batch);
  }
  wait_for(*core, 3 * batches);
  EXPECT_EQ(handled, 3 * batches);
  EXPECT_EQ(wrong, 0u);
}

TEST_F(WorkThreadsTest, no_handler_runs_once_its_subscription_has_ended) {
  for (int round = 0; round < 100; ++round) {
    std::atomic<std::uint64_t> handled{0};
    std::atomic<bool> has_ended{false};
    std::atomic<int> late{0};
    const Core core = subscribe({.concurrency = 4}, Handler([&](const MessageView&) {
                                  if (has_ended) ++late;
                                  ++handled;
                                }));
    for (int batch = 0; batch < 10; ++batch) arrive(*core, {0, 0, 1, 1});
    pool_->step();
    while (handled < 5) std::this_thread::yield();
    core->is_closing.publish_fenced(true);
    pool_->end(*core);
    has_ended = true;
    EXPECT_LE(done(*core), handled);
    while (core.use_count() > 1) pool_->step();
    EXPECT_EQ(late, 0);
  }
}

TEST_F(WorkThreadsTest, batches_are_handled_once) {
  std::atomic<std::uint64_t> handled{0};
  const Core core = subscribe({.concurrency = 3, .batch_max = 8, .batch_wait = {}},
                              BatchHandler([&](auto messages) { handled += messages.size(); }));
  for (int batch = 0; batch < 500; ++batch) {
    arrive(*core, {1, 2, 0, 0});
    pool_->step();
    if (batch % 50 == 0) wait_for(*core, static_cast<std::uint64_t>(batch) * 4);
  }
  wait_for(*core, 2000);
  EXPECT_EQ(handled, 2000u);
}

}  // namespace
}  // namespace abuzz::client::test
