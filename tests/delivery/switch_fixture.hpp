#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/delivery/switch.hpp"
#include "bus/mem/pool.hpp"
#include "bus/stats.hpp"
#include "bus/wire/batch.hpp"

namespace abuzz::delivery::test {

inline constexpr PortId publisher_port = 1;
inline constexpr PortId subscriber_port = 2;
inline constexpr std::uint64_t node_id = 77;

struct SubscribeWish {
  std::uint32_t handle = 1;
  std::string pattern = "t.*";
  Policy policy = Policy::lossless;
  std::uint32_t latest = 0;
  std::uint64_t bound_messages = 100;
  std::uint64_t bound_bytes = 4 * base::mib;
  std::uint64_t window_messages = 1000;
  wire::Retained retained = wire::Retained::none;
  std::uint64_t key = 0;
};

inline std::uint64_t seed_of_run() {
  const char* text = std::getenv("ABUZZ_SEED");
  const std::uint64_t seed = text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
  std::printf("seed %llu (ABUZZ_SEED repeats it)\n", static_cast<unsigned long long>(seed));
  return seed;
}

struct Chunk {
  std::uint32_t index = 0, count = 0;
  std::uint64_t message_bytes = 0;
};

// A switch, with a publisher's and a subscriber's port, driven by hand.
class SwitchTest : public ::testing::Test {
 protected:
  SwitchTest() {
    switch_.open_port(publisher_port);
    switch_.open_port(subscriber_port);
  }

  void advertise(std::uint32_t handle, std::string_view topic, std::uint32_t retain = 0) {
    wire::Advertise item;
    item.retain = retain;
    item.publication = item.publisher_id = handle;
    item.publisher_epoch = 1;
    item.topic = topic;
    if (lanes_.contains(handle)) item.lane = lanes_[handle];
    ASSERT_EQ(switch_.advertise(publisher_port, item), 0);
    topics_[handle] = std::string(topic);
    switch_.finish_cycle(now_);
  }
  void subscribe(const SubscribeWish& wish) { ASSERT_EQ(try_subscribe(wish), 0); }
  std::uint16_t try_subscribe(const SubscribeWish& wish) {
    wire::Subscribe item;
    item.subscription = wish.handle;
    item.pattern = wish.pattern;
    item.policy = static_cast<std::uint8_t>(wish.policy);
    item.latest = wish.latest;
    item.bound_messages = wish.bound_messages;
    item.bound_bytes = wish.bound_bytes;
    item.window_messages = wish.window_messages;
    item.window_bytes = 4 * base::mib;
    item.stall_ms = 1000;
    item.retained = wish.retained;
    item.key = wish.key;
    return switch_.subscribe(subscriber_port, item, now_).error;
  }

  // Publishes one batch, a message for each key.
  Verdict publish(std::uint32_t handle, const std::vector<std::uint64_t>& keys,
                  std::size_t payload_bytes = 16, std::uint32_t ttl_ms = 0, const Chunk& chunk = {},
                  std::uint64_t restored_seq = 0) {
    const std::string& topic = topics_[handle];
    const auto slots = static_cast<std::uint32_t>(keys.size());
    const std::size_t each = base::align_up(payload_bytes, 8);
    mem::Buffer block =
        pool_.try_acquire(wire::BatchBuilder::bytes_needed(slots, topic.size(), slots * each));
    if (!block) return Verdict::over_limit;  // too much is queued
    wire::BatchBuilder builder(block.span(), slots, topic.size());
    for (const std::uint64_t key : keys) {
      std::memset(builder.claim(payload_bytes).data(), 1, payload_bytes);
      builder.commit_entry(payload_bytes, key, 0, 0);
    }
    wire::Envelope envelope;
    envelope.origin = node_id;
    envelope.agent_id = publisher_port;
    envelope.publisher_id = handle;
    envelope.publisher_epoch = 1;
    if (lanes_.contains(handle)) envelope.lane = lanes_[handle];
    envelope.first_seq = restored_seq != 0 ? restored_seq : next_seq_[handle] + 1;
    envelope.send_time_ns = static_cast<std::int64_t>(envelope.first_seq);
    if (chunk.count > 0) {
      envelope.flags = wire::batch_chunk;
      if (chunk.index + 1 == chunk.count) envelope.flags |= wire::batch_last_chunk;
      envelope.chunk_index = chunk.index;
      envelope.chunk_count = chunk.count;
      envelope.message_bytes = chunk.message_bytes;
    }
    if (asks_receipts_) envelope.flags |= wire::batch_asks_receipts;
    const wire::BatchBuilder::Sealed sealed = builder.seal(slots, envelope, topic);
    mem::Buffer slice = block.slice(sealed.offset, sealed.bytes);
    wire::BatchHead head;
    EXPECT_EQ(wire::BatchHead::parse(slice.span(), head), wire::Reject::none);
    wire::Record record;
    record.handle = handle;
    record.lane = head.envelope.lane;
    record.message_count = head.envelope.message_count;
    record.seq = head.envelope.first_seq;
    record.ttl_left_ms = ttl_ms;
    if (restored_seq != 0) record.flags = wire::record_resume | wire::record_retained;
    const Verdict verdict = switch_.accept(publisher_port, record, head, std::move(slice), now_);
    if (verdict == Verdict::taken && restored_seq == 0)
      next_seq_[handle] += head.envelope.message_count;
    switch_.finish_cycle(now_);
    return verdict;
  }
  // A message in `pieces` chunks; stops after `sent` of them.
  void publish_train(std::uint32_t handle, std::uint32_t pieces, std::uint32_t sent) {
    constexpr std::size_t bytes = 1024;
    for (std::uint32_t index = 0; index < sent; ++index)
      ASSERT_EQ(publish(handle, {0}, bytes, 0, {index, pieces, pieces * bytes}), Verdict::taken);
  }

  struct Got {
    std::uint32_t publication = 0;
    std::uint64_t seq = 0;
    bool is_retained = false;
    bool operator==(const Got&) const = default;
  };
  // Sends up to `records_max` records to the subscriber; returns the messages, one by one.
  std::vector<Got> send(std::size_t records_max = 10'000) {
    std::vector<Got> got;
    Switch::Outgoing next;
    while (records_max-- > 0 && switch_.peek(subscriber_port, next)) {
      for (std::uint32_t index = 0; index < next.count; ++index)
        got.push_back({next.routed->publication->handle,
                       next.routed->first_seq + next.first + index, next.routed->is_retained});
      last_ttl_ms_ = next.ttl_left_ms;
      Step step{next.routed->lane, next.first_delivery + next.count - 1, {next.count, 0}};
      wire::BatchHead head;
      if (!next.routed->aborts &&
          wire::BatchHead::parse(next.routed->slice.span(), head) == wire::Reject::none)
        step.amount.bytes = wire::charged_bytes(head.envelope, next.count);
      subscribers_[next.subscription].under_way.push_back(step);
      switch_.mark_sent(subscriber_port);
    }
    return got;
  }
  // The subscription handled up to `records` of those that were sent to it.
  void settle(std::uint32_t handle = 1, std::size_t records = 10'000) {
    Subscriber& subscriber = subscribers_[handle];
    std::deque<Step>& steps = subscriber.under_way;
    while (records-- > 0 && !steps.empty()) {
      wire::Settle& told = subscriber.told[wire::lane_index(steps.front().lane)];
      ++told.received_no;
      told.done_no = std::max(told.done_no, steps.front().last_delivery);
      subscriber.consumed = subscriber.consumed + steps.front().amount;
      steps.pop_front();
    }
    for (std::size_t index = 0; index < wire::data_lanes; ++index) {
      wire::Settle& told = subscriber.told[index];
      told.subscription = handle;
      told.lane = wire::lane_at(index);
      told.consumed_messages = subscriber.consumed.messages;
      told.consumed_bytes = subscriber.consumed.bytes;
      ASSERT_TRUE(switch_.settle(subscriber_port, told, now_));
    }
    switch_.finish_cycle(now_);
  }

  // It ended; the next one with its handle counts from 1.
  void forget_numbers(std::uint32_t handle) { subscribers_.erase(handle); }

  RowSnapshot row_of(RowKind kind, std::size_t index) const {
    const StatsSnapshot snapshot = stats_->snapshot();
    for (const RowSnapshot& row : snapshot.rows)
      if (row.kind == kind && index-- == 0) return row;
    return {};
  }
  RowSnapshot subscription_row(std::size_t index = 0) const {
    return row_of(RowKind::subscription, index);
  }
  RowSnapshot publication_row(std::size_t index = 0) const {
    return row_of(RowKind::publication, index);
  }
  // For every pair: each message since it joined is in exactly one term.
  void expect_balance() const {
    const StatsSnapshot snapshot = stats_->snapshot();
    for (const RowSnapshot& pair : snapshot.rows) {
      if (pair.kind != RowKind::pair) continue;
      std::uint64_t accepted = 0;
      for (const RowSnapshot& row : snapshot.rows)
        if (row.index == pair.ids[0]) accepted = row.get(PublicationCounter::accepted);
      // Else it is what was retained.
      if (pair.ids[0] != 0) {
        EXPECT_EQ(accepted - pair.get(PairCounter::join), pair.get(PairCounter::matched));
      }
      const std::uint64_t dropped =
          pair.get(PairCounter::dropped_queue_full) + pair.get(PairCounter::dropped_peer_gone) +
          pair.get(PairCounter::dropped_shutdown) + pair.get(PairCounter::dropped_corrupt) +
          pair.get(PairCounter::dropped_conflated) + pair.get(PairCounter::dropped_expired) +
          pair.get(PairCounter::dropped_dead);
      EXPECT_EQ(pair.get(PairCounter::matched),
                pair.get(PairCounter::delivered) + dropped + pair.get(PairCounter::queued) +
                    pair.get(PairCounter::unknown_peer_gone) +
                    pair.get(PairCounter::unknown_node_lost) + pair.get(PairCounter::in_flight) +
                    pair.get(PairCounter::void_after_join))
          << pair.text;
    }
    for (const RowSnapshot& row : snapshot.rows) {
      if (row.kind != RowKind::publication) continue;
      EXPECT_EQ(row.get(PublicationCounter::accepted) - row.get(PublicationCounter::base),
                row.get(PublicationCounter::routed) + row.get(PublicationCounter::no_subscriber) +
                    row.get(PublicationCounter::voided))
          << row.text;
    }
  }

  const Config config_;
  mem::ProcessMemory memory_;
  mem::Pool pool_{classes, memory_};
  std::unique_ptr<StatsFile> stats_ = StatsFile::create("", {}, 256).value();
  base::Nanos now_ = base::second;
  Switch switch_{*stats_, config_, node_id, pool_};
  std::map<std::uint32_t, std::string> topics_;
  std::map<std::uint32_t, wire::Lane> lanes_;  // of publications that are not normal
  std::map<std::uint32_t, std::uint64_t> next_seq_;
  std::uint32_t last_ttl_ms_ = 0;
  bool asks_receipts_ = false;  // of what is published

 private:
  struct Step {
    wire::Lane lane;
    std::uint64_t last_delivery;
    Amount amount;
  };
  struct Subscriber {
    std::deque<Step> under_way;
    wire::Settle told[wire::data_lanes];
    Amount consumed;
  };
  std::map<std::uint32_t, Subscriber> subscribers_;
  static constexpr mem::SizeClass classes[] = {{1024, 4096, 4096}, {16384, 512, 512}};
};

}  // namespace abuzz::delivery::test
