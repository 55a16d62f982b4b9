#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/client/segment.hpp"
#include "bus/client/staged.hpp"
#include "bus/client/stream.hpp"
#include "bus/message.hpp"
#include "bus/options.hpp"

namespace abuzz::client {

class AgentCore;

// The publisher's thread side of a stream: builds batches in place and knocks at the session.
//
// Threads: one at a time. Ownership: the agent core outlives it, or closed() is answered.
// Invariants: sequences are given in the order of commits, from 1; the session seals segments in
// the order in which they were handed over, so both count the same. Cost of try_publish: a copy,
// one locked instruction, two loads; a pool block and an intake push once a segment; the session's
// work when it knocks.
class PublisherCore {
 public:
  PublisherCore(std::shared_ptr<AgentCore> agent, Stream& stream, std::shared_ptr<StreamNews> news,
                StagedIntake::Producer producer, std::uint32_t payload_bytes_max);
  ~PublisherCore();

  SendStatus try_publish(std::span<const std::byte> payload, const MessageOptions& options);
  SendStatus publish(std::span<const std::byte> payload, base::Nanos patience,
                     const MessageOptions& options);
  Claim claim(std::size_t bytes);
  SendStatus commit(std::size_t bytes, const MessageOptions& options);
  void push();
  FlushReport flush(base::Nanos patience);
  FlushReport report() const noexcept;
  // What the messages from now on are. The publisher's thread.
  void set_kind(MessageKind kind) noexcept { kind_ = kind; }
  // Not on the message route: these go inside the session's combiner.
  Receipt receipt(std::uint64_t sequence);
  Receipt await_receipt(std::uint64_t sequence, base::Nanos patience);
  Receipt retry(std::uint64_t sequence);
  // Called by the owner's destructor: withdraws the publication once all of it was accepted.
  void release();

  // The publication's, at this agent's nodes.
  std::uint32_t handle() const noexcept { return handle_; }

  std::uint64_t pushed() const noexcept { return pushed_; }
  const StreamNews& news() const noexcept { return *news_; }
  const std::string& topic() const noexcept { return topic_; }

 private:
  // Payload bytes that may be staged beyond what is sealed: the publication's own budget.
  static constexpr std::uint64_t staged_bytes_max = 2 * base::mib;

  bool is_closed() const noexcept;
  static std::uint32_t life_of(const MessageOptions& options) noexcept;
  // Whether the open segment takes a message with these. Most ask for nothing, here and in front.
  bool admits(const MessageOptions& options) const noexcept {
    const Segment& segment = Segment::of(block_);
    const bool is_plain = segment.ttl_ms == 0 && !segment.asks_receipts;
    if (is_plain && options.time_to_live.count() <= 0 && !options.receipt) return true;
    return admits_other(options);
  }
  bool admits_other(const MessageOptions& options) const noexcept;
  void begin_life(Segment& segment, const MessageOptions& options) noexcept;
  bool open_segment(std::size_t payload_bytes);
  // Of a segment.
  std::size_t bytes_for_one(std::size_t payload_bytes) const noexcept;
  mem::Buffer acquire_block(std::size_t payload_bytes, std::size_t& class_bytes);
  SendStatus finish_commit(std::span<std::byte> written, const MessageOptions& options,
                           bool is_admitted);
  SendStatus publish_train(std::span<const std::byte> payload, const MessageOptions& options);
  mem::Buffer make_chunk(std::span<const std::byte> part, const MessageOptions& options);
  void knock();
  bool wants_knock(bool more) const noexcept;
  bool await_room(std::uint32_t key, std::size_t payload_bytes, base::Nanos deadline);
  SendStatus refuse(SendStatus status) noexcept;

  // Constant after construction
  const std::shared_ptr<AgentCore> agent_;  // keeps the pool and the session alive
  Stream& stream_;                          // named in hand-overs, never looked into
  const std::shared_ptr<StreamNews> news_;  // shared with the session
  const std::string topic_;
  const std::uint32_t handle_;
  const std::uint32_t payload_bytes_max_;
  const std::size_t batch_bytes_max_;
  const std::size_t class_index_max_;
  const std::size_t unit_bytes_;  // the longest payload in one batch, and chunks of a longer one
  StatsRow* const row_;

  // The publisher's thread only
  StagedIntake::Producer producer_;
  mem::Buffer block_;  // of the open segment; empty: none
  // False where publishers are so many that idle ones would hold all memory of that size: then each
  // message has a segment of its own.
  bool keeps_block_ = true;
  bool has_missed_ = false;      // the last refusal was for want of a block
  std::size_t class_index_ = 0;  // size of the next segment, adapted
  std::uint64_t pushed_ = 0;
  std::uint64_t pushed_bytes_ = 0;
  mem::Buffer claimed_;             // space of a claim that is too long for a batch
  std::span<std::byte> claim_;      // of an open claim
  std::vector<mem::Buffer> train_;  // chunks under construction; reused
  MessageKind kind_ = MessageKind::message;
  bool must_knock_ = false;  // the session does not know the open segment yet
};

}  // namespace abuzz::client
