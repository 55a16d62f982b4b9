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

  // Lets go of what was published with MessageOptions::more and waits for others. Never blocks.
  void push();

  // Waits until every message so far is delivered to at least one subscription or settled
  // everywhere, or until the deadline. Does not wait for slower subscriptions.
  FlushReport flush(std::chrono::nanoseconds patience);
  // What is known now, without waiting or asking.
  FlushReport report() const;

  // What became of one message that asked for a receipt, as far as it is told; never waits.
  //
  // Remembered are all that are not settled and, of those that are, the last 1,024 and those of the
  // last 60 s; 65,536 in all, then the oldest go. What is not remembered, or did not ask,
  // is `outside_window`. Where the node is lost, what it had not told becomes `unknown` as soon as
  // the agent is on the next node, and stays so, whatever the next node finds out: see retry.
  //
  // Threads: as everything here. Waits for those inside the agent's session, who are brief. In a
  // publisher that was moved from: outside_window.
  Receipt receipt(std::uint64_t sequence) const;
  // Waits until it is settled, at most `patience`; then answers `pending`. May be used in handlers.
  Receipt await_receipt(std::uint64_t sequence, std::chrono::nanoseconds patience);
  // Asks again for the outcome of a message, under its own number: nothing is published twice.
  // What is settled is answered as it is. What is `unknown` is `pending` again while the message is
  // kept for the next node, which will tell: as `delivered`, or else as `unknown`, because the lost
  // node may have delivered it. What is not kept stays `unknown`; and for `outside_window` it is
  // the caller who decides on a new message.
  Receipt retry(std::uint64_t sequence);

  // Of the message that was queued last; 0: none yet.
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
