#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "bus/lease.hpp"
#include "tests/api/api_fixture.hpp"

// Groups through the public API.

namespace abuzz {
namespace {

SubscribeOptions member(const char* group = "workers") {
  SubscribeOptions options;
  options.group = group;
  return options;
}

SubscribeOptions manual_member() {
  SubscribeOptions options = member();
  options.ack = AckMode::manual;
  options.ack_timeout = 1s;
  return options;
}

// What several handlers saw of each message.
class Seen {
 public:
  void add(const MessageView& message) {
    const std::lock_guard lock(mutex_);
    ++counts_[message.sequence()];
    attempts_.push_back(message.attempt());
  }
  std::size_t distinct() {
    const std::lock_guard lock(mutex_);
    return counts_.size();
  }
  std::size_t all() {
    const std::lock_guard lock(mutex_);
    return attempts_.size();
  }
  std::vector<std::uint32_t> attempts() {
    const std::lock_guard lock(mutex_);
    return attempts_;
  }

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, int> counts_;
  std::vector<std::uint32_t> attempts_;
};

template <class Condition>
bool comes_true(Condition&& condition, std::chrono::milliseconds patience = 5s) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

TEST_F(Api, AGroupSharesTheWork) {
  Agent shop = connect("shop"), first = connect("first"), second = connect("second");
  Seen seen;
  std::atomic<int> of_first{0}, of_second{0};
  auto one = first.subscribe(
      "jobs.*", [&](const MessageView& job) { seen.add(job), ++of_first; }, member());
  auto two = second.subscribe(
      "jobs.*", [&](const MessageView& job) { seen.add(job), ++of_second; }, member());
  ASSERT_TRUE(one.ok() && two.ok());
  Publisher jobs = shop.publisher("jobs.new").value();
  for (int index = 0; index < 1000; ++index) ASSERT_EQ(jobs.publish("job", 5s), SendStatus::queued);
  const FlushReport report = jobs.flush(10s);
  EXPECT_EQ(report.delivered, 1000u);
  EXPECT_EQ(seen.distinct(), 1000u);
  EXPECT_EQ(seen.all(), 1000u);
  EXPECT_GT(of_first, 0);
  EXPECT_GT(of_second, 0);
}

TEST_F(Api, TheOptionsOfAGroupAreChecked) {
  Agent agent = connect("one");
  SubscribeOptions options = member("two words");
  EXPECT_EQ(agent.subscribe("jobs.*", options).error(), Error::bad_agent_name);
  options = member();
  options.policy = Policy::latest;
  options.latest_messages = 1;
  EXPECT_EQ(agent.subscribe("jobs.*", options).error(), Error::bad_bound);
  options = {};
  options.ack = AckMode::manual;
  EXPECT_EQ(agent.subscribe("jobs.*", options).error(), Error::bad_bound);
  auto kept = agent.subscribe("jobs.*", member());
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(agent.subscribe("jobs.*", manual_member()).error(), Error::group_conflict);
}

TEST_F(Api, WhatIsAcknowledgedIsDelivered) {
  Agent agent = connect("one");
  Seen seen;
  auto worker = agent.subscribe(
      "jobs.*",
      [&](const MessageView& job) {
        seen.add(job);
        EXPECT_EQ(job.attempt(), 1u);
        EXPECT_FALSE(job.is_redelivery());
        EXPECT_EQ(job.ack(), LeaseStatus::told);
      },
      manual_member());
  ASSERT_TRUE(worker.ok());
  Publisher jobs = agent.publisher("jobs.new").value();
  for (int index = 0; index < 3000; ++index) ASSERT_EQ(jobs.publish("job", 5s), SendStatus::queued);
  EXPECT_EQ(jobs.flush(10s).delivered, 3000u);
  EXPECT_EQ(seen.all(), 3000u);
}

TEST_F(Api, ALeaseOutlivesTheHandlerAndGoesToOtherThreads) {
  Agent agent = connect("one");
  std::mutex mutex;
  std::vector<Lease> leases;
  auto worker = agent.subscribe(
      "jobs.*",
      [&](const MessageView& job) {
        const std::lock_guard lock(mutex);
        leases.push_back(job.lease());
      },
      manual_member());
  ASSERT_TRUE(worker.ok());
  Publisher jobs = agent.publisher("jobs.new").value();
  for (int index = 0; index < 100; ++index) ASSERT_EQ(jobs.publish("job", 5s), SendStatus::queued);
  ASSERT_TRUE(comes_true([&] {
    const std::lock_guard lock(mutex);
    return leases.size() == 100;
  }));
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      for (std::size_t index = thread; index < 100; index += 4) {
        EXPECT_TRUE(leases[index].is_held());
        EXPECT_EQ(leases[index].in_progress(), LeaseStatus::told);
        EXPECT_EQ(leases[index].ack(), LeaseStatus::told);
        EXPECT_FALSE(leases[index].is_held());
        EXPECT_EQ(leases[index].ack(), LeaseStatus::not_leased);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(jobs.flush(10s).delivered, 100u);
}

TEST_F(Api, WhatIsGivenBackComesAgain) {
  Agent agent = connect("one");
  Seen seen;
  auto worker = agent.subscribe(
      "jobs.*",
      [&](const MessageView& job) {
        seen.add(job);
        if (job.attempt() == 1) {
          EXPECT_EQ(job.nak(0ms), LeaseStatus::told);
        } else if (job.attempt() == 2) {
          (void)job.lease();  // destroyed: given back
        } else {
          EXPECT_TRUE(job.is_redelivery());
          EXPECT_EQ(job.ack(), LeaseStatus::told);
        }
      },
      manual_member());
  ASSERT_TRUE(worker.ok());
  Publisher jobs = agent.publisher("jobs.new").value();
  ASSERT_EQ(jobs.publish("job", 5s), SendStatus::queued);
  EXPECT_EQ(jobs.flush(10s).delivered, 1u);
  EXPECT_EQ(seen.attempts(), (std::vector<std::uint32_t>{1, 2, 3}));
}

TEST_F(Api, ALeaseLapses) {
  Agent agent = connect("one");
  Seen seen;
  std::vector<Lease> kept;
  auto worker = agent.subscribe(
      "jobs.*",
      [&](const MessageView& job) {
        seen.add(job);
        if (job.attempt() == 1)
          kept.push_back(job.lease());
        else
          EXPECT_EQ(job.ack(), LeaseStatus::told);
      },
      manual_member());
  ASSERT_TRUE(worker.ok());
  Publisher jobs = agent.publisher("jobs.new").value();
  ASSERT_EQ(jobs.publish("job", 5s), SendStatus::queued);
  EXPECT_EQ(jobs.flush(10s).delivered, 1u);
  EXPECT_EQ(seen.attempts(), (std::vector<std::uint32_t>{1, 2}));
  EXPECT_FALSE(kept.at(0).is_held());
  EXPECT_EQ(kept.at(0).ack(), LeaseStatus::not_leased);
}

TEST_F(Api, APoisonousMessageEndsAsADeadLetter) {
  Agent agent = connect("one");
  SubscribeOptions options = manual_member();
  options.attempts_max = 2;
  auto worker = agent.subscribe(
      "jobs.*",
      [&](const MessageView& job) {
        if (job.text() == "poison")
          (void)job.nak(0ms);
        else
          (void)job.ack();
      },
      options);
  ASSERT_TRUE(worker.ok());
  Publisher jobs = agent.publisher("jobs.new").value();
  ASSERT_EQ(jobs.publish("poison", 5s), SendStatus::queued);
  ASSERT_EQ(jobs.publish("food", 5s), SendStatus::queued);
  const FlushReport report = jobs.flush(10s);
  EXPECT_EQ(report.delivered, 1u);
  EXPECT_EQ(report.dropped, 1u);
  auto letters = agent.subscribe("$dead.>");
  ASSERT_TRUE(letters.ok());
  std::string text;
  letters.value().poll(
      [&](const MessageView& letter) {
        EXPECT_EQ(letter.topic(), "$dead.jobs.new");
        text = letter.text();
      },
      1, 5s);
  EXPECT_NE(text.find(R"("payload":"poison")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("attempts":2)"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("agent":"one")"), std::string::npos) << text;
}

TEST_F(Api, LargePayloadsGoThroughAGroup) {
  Agent agent = connect("one");
  std::atomic<int> attempts{0};
  std::string got;
  auto worker = agent.subscribe(
      "jobs.*",
      [&](const MessageView& job) {
        if (++attempts == 1) {
          (void)job.nak(0ms);
        } else {
          got = job.text();
          (void)job.ack();
        }
      },
      manual_member());
  ASSERT_TRUE(worker.ok());
  Publisher jobs = agent.publisher("jobs.new").value();
  std::string payload(700'000, 'x');
  payload[100'000] = 'y';
  ASSERT_EQ(jobs.publish(payload, 5s), SendStatus::queued);
  EXPECT_EQ(jobs.flush(10s).delivered, 1u);
  EXPECT_EQ(got, payload);
  EXPECT_EQ(attempts, 2);
}

TEST_F(Api, WhoClosesLeavesItsMessagesToOthers) {
  Agent shop = connect("shop"), second = connect("second");
  std::optional<Agent> first = connect("first");
  std::atomic<int> of_first{0};
  Seen seen;
  auto one = first->subscribe(
      "jobs.*", [&](const MessageView&) { ++of_first; }, manual_member());
  ASSERT_TRUE(one.ok());
  Publisher jobs = shop.publisher("jobs.new").value();
  for (int index = 0; index < 20; ++index) ASSERT_EQ(jobs.publish("job", 5s), SendStatus::queued);
  ASSERT_TRUE(comes_true([&] { return of_first > 0; }));
  auto two = second.subscribe(
      "jobs.*", [&](const MessageView& job) { seen.add(job), (void)job.ack(); }, manual_member());
  ASSERT_TRUE(two.ok());
  first->close(1s);
  EXPECT_EQ(jobs.flush(10s).delivered, 20u);
  EXPECT_EQ(seen.distinct(), 20u);
}

TEST_F(Api, ANodeThatDiesLosesNothingOfAGroup) {
  Agent shop = connect("shop"), agent = connect("one");
  std::mutex mutex;
  std::set<std::uint64_t> acknowledged;
  std::atomic<bool> is_blind{true};
  bool was_repeated = false;
  auto worker = agent.subscribe(
      "jobs.*",
      [&](const MessageView& job) {
        if (is_blind) return;  // leased for ever
        const std::lock_guard lock(mutex);
        was_repeated = was_repeated || job.is_redelivery();
        acknowledged.insert(job.sequence());
        (void)job.ack();
      },
      manual_member());
  ASSERT_TRUE(worker.ok());
  Publisher jobs = shop.publisher("jobs.new").value();
  for (int index = 0; index < 50; ++index) ASSERT_EQ(jobs.publish("job", 5s), SendStatus::queued);
  (void)jobs.flush(200ms);
  is_blind = false;
  node_.reset();
  node_.emplace(Node::start(config_).value());
  ASSERT_TRUE(comes_true(
      [&] {
        const std::lock_guard lock(mutex);
        return acknowledged.size() == 50;
      },
      20s));
  EXPECT_TRUE(was_repeated);
}

}  // namespace
}  // namespace abuzz
