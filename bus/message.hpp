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
  std::span<const std::byte> payload() const noexcept { return fields_.payload; }
  std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(fields_.payload.data()), fields_.payload.size()};
  }
  std::string_view topic() const noexcept { return fields_.topic; }
  std::uint64_t sequence() const noexcept { return fields_.sequence; }  // from 1, per publisher
  std::uint64_t agent_id() const noexcept { return fields_.agent_id; }  // of the publisher
  std::uint32_t publisher_id() const noexcept { return fields_.publisher_id; }
  std::uint64_t key() const noexcept { return fields_.key; }
  std::uint64_t correlation() const noexcept { return fields_.correlation; }
  Lane lane() const noexcept { return fields_.lane; }
  MessageKind kind() const noexcept { return fields_.kind; }
  // Wall clock of the sender when the batch left, nanoseconds. For people, not for measuring.
  std::int64_t send_time_ns() const noexcept { return fields_.send_time_ns; }
  // Kept for who comes later: it was published before this subscription was there.
  bool is_retained() const noexcept { return fields_.is_retained; }
  // Of a group: the number of this attempt at the message, from 1; else 0.
  std::uint32_t attempt() const noexcept { return fields_.attempt; }
  // Of a group: a member may have handled it before; also where a node was lost meanwhile.
  bool is_redelivery() const noexcept { return fields_.may_repeat; }

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

  // For the receiver, which makes one view for a batch and changes what each message has of its
  // own: copies of what was just stored would stall it.
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
  explicit MessageView(const Fields& fields) noexcept : fields_(fields) {}
  Fields& fields() noexcept { return fields_; }

 private:
  Fields fields_;
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
