#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "bus/export.hpp"
#include "bus/message.hpp"
#include "bus/options.hpp"

namespace abuzz {

namespace client {
class PublisherCore;
}

// One agent's source on one topic: a FIFO stream of its own.
//
// Threads: one at a time per Publisher; take one per thread. May be used inside handlers.
// Lifetime: outlived by its Agent's bus session; after Agent::close, and once it was moved
// from, all calls answer `closed` or nothing.
// Cost of try_publish: one copy of the payload, no allocation, no system call while messages wait.
class ABUZZ_EXPORT Publisher {
 public:
  Publisher(Publisher&&) noexcept;
  Publisher& operator=(Publisher&&) noexcept;
  ~Publisher();  // hands over what was published; does not wait

  // Never blocks.
  SendStatus try_publish(std::span<const std::byte> payload, const MessageOptions& options = {});
  SendStatus try_publish(std::string_view payload, const MessageOptions& options = {});
  // Waits for room at most `patience`; then answers back_pressured.
  SendStatus publish(std::span<const std::byte> payload, std::chrono::nanoseconds patience,
                     const MessageOptions& options = {});
  SendStatus publish(std::string_view payload, std::chrono::nanoseconds patience,
                     const MessageOptions& options = {});

  // Builds a message in place. Between claim and commit no other call on this Publisher; an
  // uncommitted claim is simply forgotten. `bytes` of commit may be less than claimed.
  Claim claim(std::size_t bytes);
  SendStatus commit(std::size_t bytes, const MessageOptions& options = {});

  // Waits until every message so far is delivered to at least one subscription or settled
  // everywhere, or until the deadline. Does not wait for slower subscriptions.
  FlushReport flush(std::chrono::nanoseconds patience);
  // What is known now, without waiting or asking.
  FlushReport report() const;

  std::uint64_t last_sequence() const noexcept;
  // Subscriptions that match now, as last told by the node.
  std::uint32_t match_count() const noexcept;
  // The agent whose lossless subscription holds this publisher back; 0 when none does.
  std::uint64_t held_by() const noexcept;
  const std::string& topic() const noexcept;

 private:
  friend class Agent;
  explicit Publisher(std::shared_ptr<client::PublisherCore> core) noexcept;
  std::shared_ptr<client::PublisherCore> core_;  // shared with the session, which outlives neither
};

}  // namespace abuzz
