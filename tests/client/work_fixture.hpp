#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bus/client/work_pool.hpp"
#include "bus/mem/pool.hpp"
#include "bus/wire/batch.hpp"
#include "tests/client/fake_workers.hpp"

namespace abuzz::client::test {

inline constexpr mem::SizeClass work_classes[] = {{4096, 512, 512}, {65536, 64, 64}};

// A pool without threads, time that stands still, and a session's end of subscriptions.
class WorkTest : public ::testing::Test {
 protected:
  using Core = std::shared_ptr<SubscriptionCore>;

  void make_pool(std::vector<std::uint32_t> caches) {
    host_ = std::make_unique<FakeHost>(std::move(caches));
    pool_ = std::make_unique<WorkPool>(clock_, *host_, stats_->process(), host_->plan());
  }
  void TearDown() override { pool_.reset(); }

  Core subscribe(const SubscribeOptions& options, Handlers handlers = Handler(ignore)) {
    Core core = std::make_shared<SubscriptionCore>("t", options, std::move(handlers), clock_,
                                                   memory_pool_, wire::VerifyLimits{},
                                                   stats_->add_row(RowKind::subscription, {}, "t"));
    core->verdicts = &verdicts_producer_;
    for (const Lane lane : {Lane::high, Lane::normal, Lane::bulk})
      sent_no_.erase({core.get(), lane});  // of one that was there before
    EXPECT_TRUE(pool_->open(core));
    return core;
  }

  // What a session does with a batch that came: one message for each key.
  struct Send {
    Lane lane = Lane::normal;
    base::Nanos expires_at = 0;
    std::uint32_t publisher = 1;
    std::uint32_t generation = 1;
  };
  void arrive(SubscriptionCore& core, const std::vector<std::uint64_t>& keys, const Send& send) {
    const auto count = static_cast<std::uint32_t>(keys.size());
    mem::Buffer block =
        memory_pool_.try_acquire(wire::BatchBuilder::bytes_needed(count, 1, count * 8));
    ASSERT_TRUE(block);
    wire::BatchBuilder builder(block.span(), count, 1);
    for (const std::uint64_t key : keys) {
      std::memcpy(builder.claim(8).data(), &key, 8);
      builder.commit_entry(8, key, 0, 0);
    }
    wire::Envelope envelope;
    envelope.agent_id = 7;
    envelope.publisher_id = send.publisher;
    envelope.publisher_epoch = 1;
    envelope.lane = send.lane;
    envelope.first_seq = sent_seq_[send.publisher] + 1;
    sent_seq_[send.publisher] += count;
    const wire::BatchBuilder::Sealed sealed = builder.seal(count, envelope, "t");
    Delivery delivery;
    delivery.slice = block.slice(sealed.offset, sealed.bytes);
    delivery.subscription = &core;
    delivery.count = count;
    delivery.lane = send.lane;
    delivery.generation = send.generation;
    delivery.expires_at = send.expires_at;
    std::uint64_t& last = sent_no_[{&core, send.lane}];
    delivery.first_delivery = last + 1;
    last += count;
    core.queue->push(std::move(delivery));
    core.queue->spill();
  }
  void arrive(SubscriptionCore& core, const std::vector<std::uint64_t>& keys) {
    arrive(core, keys, {});
  }

  std::uint64_t done(const SubscriptionCore& core, Lane lane = Lane::normal) const {
    return core.done_no[wire::lane_index(lane)].read();
  }
  // Begins what the worker gets, and calls the handler: it has not returned yet.
  Work* begin(std::size_t place) {
    Work* const work = pool_->begin(place);
    if (work != nullptr) pool_->call(*work);
    return work;
  }
  // The whole of it; false: there was nothing.
  bool work(std::size_t place) {
    Work* const begun = begin(place);
    if (begun != nullptr) pool_->finish(place, *begun);
    return begun != nullptr;
  }
  static std::uint64_t key_of(const Work& work) { return work.views.front().key(); }

  static void ignore(const MessageView&) {}

  base::ManualClock clock_;
  mem::ProcessMemory memory_;
  mem::Pool memory_pool_{work_classes, memory_};
  std::unique_ptr<StatsFile> stats_ = StatsFile::create("", {}, 512).value();
  VerdictIntake verdicts_{1};
  VerdictIntake::Producer verdicts_producer_{verdicts_.producer()};
  std::unique_ptr<FakeHost> host_;
  std::unique_ptr<WorkPool> pool_;

 private:
  std::map<std::uint32_t, std::uint64_t> sent_seq_;
  std::map<std::pair<const SubscriptionCore*, Lane>, std::uint64_t> sent_no_;
};

}  // namespace abuzz::client::test
