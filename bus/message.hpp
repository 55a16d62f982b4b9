#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "bus/export.hpp"

namespace abuzz {

// Priority class of a publisher. Values are on the wire.
enum class Lane : std::uint8_t { control = 0, high = 1, normal = 2, bulk = 3 };

// What a message is in a conversation. Values are on the wire.
enum class MessageKind : std::uint8_t {
  message = 0,
  request = 1,   // asks for a reply
  part = 2,      // of a reply of several parts
  progress = 3,  // the request is being worked on
  last = 4,      // of a reply; there may be no other
  failed = 5,    // the request has failed
};

// What became of an attempt to publish.
enum class [[nodiscard]] SendStatus : std::uint8_t{
    queued,          // the message has its sequence and is on its way
    back_pressured,  // no room now; nothing was taken
    too_large,       // the payload is over the limit; nothing was taken
    closed,          // the agent is closed; nothing was taken
};

// What became of a word about a leased message.
enum class [[nodiscard]] LeaseStatus : std::uint8_t{
    told,        // it is on its way to the node
    not_leased,  // the message is not leased, or its lease is over: nothing was said
    closed,      // the agent is closed
};

class Lease;
class RetainedMessage;

// One received message. Valid until the handler returns, or the poll callback does; retain() keeps
// the bytes alive longer. One thread.
class MessageView {
 public:
  std::span<const std::byte> payload() const noexcept { return payload_; }
  std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(payload_.data()), payload_.size()};
  }
  std::string_view topic() const noexcept { return topic_; }
  std::uint64_t sequence() const noexcept { return sequence_; }  // from 1, per publisher
  std::uint64_t agent_id() const noexcept { return agent_id_; }  // of the publisher
  std::uint32_t publisher_id() const noexcept { return publisher_id_; }
  std::uint64_t key() const noexcept { return key_; }
  std::uint64_t correlation() const noexcept { return correlation_; }
  Lane lane() const noexcept { return lane_; }
  MessageKind kind() const noexcept { return kind_; }
  // Wall clock of the sender when the batch left, nanoseconds. For people, not for measuring.
  std::int64_t send_time_ns() const noexcept { return send_time_ns_; }
  // Kept for who comes later: it was published before this subscription was there.
  bool is_retained() const noexcept { return is_retained_; }
  // Of a group: the number of this attempt at the message, from 1; else 0.
  std::uint32_t attempt() const noexcept { return attempt_; }
  // Of a group: a member may have handled it before; also where a node was lost meanwhile.
  bool is_redelivery() const noexcept { return may_repeat_; }

  // Of a group with manual acknowledgement, while the handler runs; what is to be said later, or on
  // another thread, is said through the lease. Who says nothing lets the time pass, and another
  // member gets the message. The meanings are those of Lease. Elsewhere the answer is not_leased.
  ABUZZ_EXPORT LeaseStatus ack() const;
  ABUZZ_EXPORT LeaseStatus nak(std::chrono::milliseconds delay) const;
  ABUZZ_EXPORT LeaseStatus nak() const;
  ABUZZ_EXPORT LeaseStatus in_progress() const;
  ABUZZ_EXPORT Lease lease() const;  // bus/lease.hpp; take it once

  // Keeps the message beyond the handler, without a copy. It holds a pooled buffer: drop it soon.
  ABUZZ_EXPORT RetainedMessage retain() const;

  // Filled by the receiver.
  struct LeasePlace {
    void* desk = nullptr;  // client::LeaseDesk; nullptr: nothing is leased
    std::uint64_t delivery = 0;
    std::int64_t deadline = 0;  // monotonic, ns
    std::uint32_t generation = 0;
    Lane lane = Lane::normal;
  };
  struct Fields {
    std::span<const std::byte> payload;
    std::string_view topic;
    std::uint64_t sequence = 0, agent_id = 0, key = 0, correlation = 0;
    std::uint32_t publisher_id = 0;
    Lane lane = Lane::normal;
    MessageKind kind = MessageKind::message;
    std::int64_t send_time_ns = 0;
    bool is_retained = false;
    const void* buffer = nullptr;  // mem::Buffer that holds the payload
    std::uint16_t attempt = 0;
    bool may_repeat = false;
    LeasePlace place;
  };
  explicit MessageView(const Fields& fields) noexcept
      : payload_(fields.payload),
        topic_(fields.topic),
        sequence_(fields.sequence),
        agent_id_(fields.agent_id),
        key_(fields.key),
        correlation_(fields.correlation),
        send_time_ns_(fields.send_time_ns),
        buffer_(fields.buffer),
        place_(fields.place),
        publisher_id_(fields.publisher_id),
        attempt_(fields.attempt),
        may_repeat_(fields.may_repeat),
        lane_(fields.lane),
        kind_(fields.kind),
        is_retained_(fields.is_retained) {}

 private:
  std::span<const std::byte> payload_;
  std::string_view topic_;
  std::uint64_t sequence_, agent_id_, key_, correlation_;
  std::int64_t send_time_ns_;
  const void* buffer_;
  LeasePlace place_;
  std::uint32_t publisher_id_;
  std::uint16_t attempt_;
  bool may_repeat_;
  Lane lane_;
  MessageKind kind_;
  bool is_retained_;
};

// A message that outlives its handler. Must be dropped before the agent that received it is closed.
class ABUZZ_EXPORT RetainedMessage {
 public:
  RetainedMessage(RetainedMessage&&) noexcept;
  RetainedMessage& operator=(RetainedMessage&&) noexcept;
  ~RetainedMessage();
  const MessageView& view() const noexcept;

 private:
  friend class MessageView;
  RetainedMessage();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace abuzz
