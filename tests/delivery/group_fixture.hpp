#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/delivery/switch_fixture.hpp"

namespace abuzz::delivery::test {

inline constexpr PortId own_port = PortId{1} << 40;

struct GroupWish {
  std::string pattern = "t.*";
  std::string group = "workers";
  GroupMode mode = GroupMode::least_outstanding;
  Policy policy = Policy::lossless;
  std::uint32_t ack_ms = 0;
  std::uint32_t attempts_max = 3;
  std::uint64_t bound_messages = 1000;
  std::uint32_t stall_ms = 1000;
  std::uint32_t handle = 1;
};

// A switch with members of groups, each on a port of its own, driven by hand.
class GroupTest : public SwitchTest {
 protected:
  struct Message {
    std::uint32_t publication = 0;
    std::uint64_t seq = 0;
    std::uint16_t attempt = 0;
    bool may_repeat = false;
    wire::Lane lane = wire::Lane::normal;
    std::uint64_t delivery = 0;
  };
  // What one member's process has.
  struct Worker {
    std::vector<Message> got;  // in hand or not, in order of arrival
    std::map<wire::Lane, wire::Settle> told;
    std::uint64_t consumed_messages = 0, consumed_bytes = 0;
    std::uint32_t handle = 1;
  };

  GroupTest() { switch_.open_own_port(own_port); }

  std::uint16_t try_join(PortId port, const GroupWish& wish) {
    switch_.open_port(port, "worker-" + std::to_string(port));
    wire::Subscribe item;
    item.subscription = wish.handle;
    item.pattern = wish.pattern;
    item.policy = static_cast<std::uint8_t>(wish.policy);
    item.bound_messages = wish.bound_messages;
    item.bound_bytes = 4 * base::mib;
    item.window_messages = 16'384;
    item.window_bytes = 2 * base::mib;
    item.stall_ms = wish.stall_ms;
    item.group = wish.group;
    item.group_mode = static_cast<std::uint8_t>(wish.mode);
    item.ack_ms = wish.ack_ms;
    item.attempts_max = wish.attempts_max;
    const std::uint16_t error = switch_.subscribe(port, item, now_).error;
    workers_[port].handle = wish.handle;
    switch_.finish_cycle(now_);
    return error;
  }
  void join(PortId port, const GroupWish& wish = {}) { ASSERT_EQ(try_join(port, wish), 0); }

  // Takes what the switch has for the worker; its process has received it.
  std::vector<Message> take(PortId port) {
    switch_.finish_cycle(now_);
    Worker& worker = workers_[port];
    std::vector<Message> got;
    Switch::Outgoing next;
    while (switch_.peek(port, next)) {
      for (std::uint32_t index = 0; index < next.count; ++index)
        got.push_back({next.routed->publication->handle,
                       next.routed->first_seq + (next.routed->is_train ? 0 : next.first + index),
                       next.attempt, next.may_repeat, next.routed->lane,
                       next.first_delivery + index});
      ++worker.told[next.routed->lane].received_no;
      wire::BatchHead head;
      EXPECT_EQ(wire::BatchHead::parse(next.routed->slice.span(), head), wire::Reject::none);
      worker.consumed_messages += next.count;
      worker.consumed_bytes += wire::charged_bytes(head.envelope, next.count);
      switch_.mark_sent(port);
    }
    for (const Message& message : got) worker.got.push_back(message);
    for (auto& [lane, settle] : worker.told) tell(port, lane);
    return got;
  }
  void tell(PortId port, wire::Lane lane) {
    Worker& worker = workers_[port];
    wire::Settle settle = worker.told[lane];
    settle.subscription = worker.handle;
    settle.lane = lane;
    settle.consumed_messages = worker.consumed_messages;
    settle.consumed_bytes = worker.consumed_bytes;
    ASSERT_TRUE(switch_.settle(port, settle, now_));
  }
  // Handled up to this message, of its lane.
  void handle(PortId port, const Message& message) {
    workers_[port].told[message.lane].done_no = message.delivery;
    tell(port, message.lane);
    switch_.finish_cycle(now_);
  }
  void say(PortId port, const Message& message, wire::LeaseWord word, std::uint32_t delay_ms = 0,
           std::uint32_t count = 1) {
    wire::LeaseAct act;
    act.subscription = workers_[port].handle;
    act.kind = word;
    act.lane = message.lane;
    act.first_delivery = message.delivery;
    act.count = count;
    act.delay_ms = delay_ms;
    ASSERT_TRUE(switch_.act(port, act, now_));
    switch_.finish_cycle(now_);
  }
  void ack(PortId port, const Message& message) { say(port, message, wire::LeaseWord::ack); }
  void pass(base::Nanos span) {
    now_ += span;
    switch_.do_timers(now_);
    switch_.finish_cycle(now_);
  }
  void die(PortId port) {
    switch_.close_port(port, DropReason::peer_gone);
    workers_.erase(port);
  }

  // The row of the group itself, of all groups of this name together.
  std::uint64_t of_group(SubscriptionCounter id) const {
    std::uint64_t sum = 0;
    for (const RowSnapshot& row : stats_->snapshot().rows)
      if (row.kind == RowKind::subscription && row.ids[0] == own_port) sum += row.get(id);
    return sum;
  }
  std::uint64_t of_pairs(PairCounter id) const {
    std::uint64_t sum = 0;
    for (const RowSnapshot& row : stats_->snapshot().rows)
      if (row.kind == RowKind::pair) sum += row.get(id);
    return sum;
  }
  static std::vector<std::uint64_t> seqs(const std::vector<Message>& messages) {
    std::vector<std::uint64_t> numbers;
    for (const Message& message : messages) numbers.push_back(message.seq);
    return numbers;
  }

  std::map<PortId, Worker> workers_;
};

}  // namespace abuzz::delivery::test
