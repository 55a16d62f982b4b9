#include "bus/client/publisher_core.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "bus/client/agent_core.hpp"

namespace abuzz::client {

namespace {

// Sizes of segments. A publisher whose segments fill up before they are taken moves on to larger
// ones, and back when they are taken early.
constexpr std::array<std::size_t, 4> segment_classes{4 * base::kib, 16 * base::kib, 80 * base::kib,
                                                     320 * base::kib};
// The longest payload that travels in one batch; a longer one is cut into chunks of this size. One
// of bulk, and what belongs to it, is no longer than 64 KiB: a whole number of them fits into the
// window of its lane.
constexpr std::size_t unit_bytes_of(Lane lane) noexcept {
  constexpr std::size_t overhead_bytes = 512;
  return 64 * base::kib - (lane == Lane::bulk ? overhead_bytes : 0);
}
// The longest time to live: 24 days, so that it fits into 32 bits of milliseconds with room.
constexpr std::int64_t ttl_ms_max = std::int64_t{24} * 24 * 3600 * 1000;
// Messages that may wait for others leave when there is so much of them: no frame waits then.
constexpr std::uint32_t gathered_bytes_max = 32 * base::kib;
// A message may lose so much of its time to the oldest of its batch.
constexpr base::Nanos life_slack = base::millisecond;

// Of bulk no longer than one unit: so little stands in front of a higher lane.
std::size_t batch_bytes_of(const AgentCore& agent, Lane lane) noexcept {
  const std::size_t bytes = agent.batch_bytes_max();
  return lane == Lane::bulk ? std::min(bytes, unit_bytes_of(lane)) : bytes;
}

// The largest segment that such a batch fills.
std::size_t class_index_of(std::size_t batch_bytes) noexcept {
  std::size_t index = 0;
  while (index + 1 < segment_classes.size() && segment_classes[index] < batch_bytes) ++index;
  return index;
}

}  // namespace

PublisherCore::PublisherCore(std::shared_ptr<AgentCore> agent, Stream& stream,
                             std::shared_ptr<StreamNews> news, StagedIntake::Producer producer,
                             std::uint32_t payload_bytes_max)
    : agent_(std::move(agent)),
      stream_(stream),
      news_(std::move(news)),
      topic_(stream.topic),
      handle_(stream.handle),
      payload_bytes_max_(payload_bytes_max),
      batch_bytes_max_(batch_bytes_of(*agent_, stream.lane)),
      class_index_max_(class_index_of(batch_bytes_max_)),
      unit_bytes_(unit_bytes_of(stream.lane)),
      row_(stream.row),
      producer_(std::move(producer)) {}

PublisherCore::~PublisherCore() = default;

bool PublisherCore::is_closed() const noexcept {
  return agent_->is_closed() || news_->state.hint() >= StreamState::refused;
}

SendStatus PublisherCore::refuse(SendStatus status) noexcept {
  if (row_ == nullptr || agent_->is_forked()) return status;  // the row is the parent's
  switch (status) {
    case SendStatus::queued:
      break;
    case SendStatus::back_pressured:
      row_->add(PublicationCounter::refused_back_pressured);
      break;
    case SendStatus::too_large:
      row_->add(PublicationCounter::refused_too_large);
      break;
    case SendStatus::closed:
      row_->add(PublicationCounter::refused_closed);
      break;
  }
  return status;
}

std::size_t PublisherCore::bytes_for_one(std::size_t payload_bytes) const noexcept {
  return Segment::head_bytes +
         wire::BatchBuilder::bytes_needed(1, topic_.size(), payload_bytes + 8);
}

mem::Buffer PublisherCore::acquire_block(std::size_t payload_bytes, std::size_t& class_bytes) {
  std::size_t index = class_index_;
  const std::size_t least = bytes_for_one(payload_bytes);
  while (index + 1 < segment_classes.size() && segment_classes[index] < least) ++index;
  for (;; --index) {
    class_bytes = segment_classes[index];
    if (class_bytes < least) return {};
    mem::Buffer block = agent_->pool().try_acquire_spare(class_bytes);
    if (block) return block;
    agent_->note_pool_miss();
    has_missed_ = true;
    if (index == 0) return {};
  }
}

// Hands a fresh segment over to the session; it fills while it waits there.
bool PublisherCore::open_segment(std::size_t payload_bytes) {
  // What was gathered in the one that is full does not wait any more.
  if (must_knock_) knock();
  if (block_) {
    const Segment& segment = Segment::of(block_);
    const bool was_taken = segment.tally.is_taken();
    if (!was_taken && class_index_ < class_index_max_) ++class_index_;
    if (was_taken && class_index_ > 0 && segment.builder.count() * 4 < segment.builder.slots())
      --class_index_;
    block_.reset();
  }
  const std::uint64_t staged = pushed_bytes_ - news_->sealed_bytes.read();
  if (staged > 0 && staged + payload_bytes > staged_bytes_max) return false;
  std::size_t class_bytes = 0;
  mem::Buffer block = acquire_block(payload_bytes, class_bytes);
  if (!block) return false;
  const std::size_t fixed =
      Segment::head_bytes + wire::BatchBuilder::bytes_needed(0, topic_.size(), 0) + 64;
  const std::size_t each = sizeof(wire::MessageEntry) + base::align_up(payload_bytes, 8);
  const std::uint32_t bound = news_->batch_messages_max.read();
  const std::size_t slots_max = bound == 0
                                    ? agent_->batch_messages_max()
                                    : std::min<std::size_t>(bound, agent_->batch_messages_max());
  const std::size_t slots = std::clamp<std::size_t>(
      (std::min(class_bytes - fixed, batch_bytes_max_)) / std::max<std::size_t>(each, 40), 1,
      slots_max);
  // No batch is longer than its limit, but each holds one message.
  mem::Buffer usable = block.slice(
      0, std::min(class_bytes, std::max(fixed + batch_bytes_max_, bytes_for_one(payload_bytes))));
  Segment::create(usable, static_cast<std::uint32_t>(slots), topic_.size());
  if (!producer_.try_push(Staged{block.share(), &stream_})) return false;
  block_ = std::move(block);
  keeps_block_ = agent_->has_blocks_for_all(class_bytes);
  must_knock_ = true;
  return true;
}

// HOT: publisher's thread, once a message.
SendStatus PublisherCore::try_publish(std::span<const std::byte> payload,
                                      const MessageOptions& options) {
  if (is_closed()) return refuse(SendStatus::closed);
  if (payload.size() > unit_bytes_) {
    if (payload.size() > payload_bytes_max_) return refuse(SendStatus::too_large);
    return publish_train(payload, options);
  }
  if (payload.size() > payload_bytes_max_) return refuse(SendStatus::too_large);
  std::span<std::byte> space;
  if (block_ && admits(options)) space = Segment::of(block_).builder.claim(payload.size());
  if (space.data() == nullptr) {
    if (!open_segment(payload.size())) return refuse(SendStatus::back_pressured);
    space = Segment::of(block_).builder.claim(payload.size());
  }
  if (!payload.empty()) std::memcpy(space.data(), payload.data(), payload.size());
  return finish_commit(space, options, true);
}

// In milliseconds; 0: none.
std::uint32_t PublisherCore::life_of(const MessageOptions& options) noexcept {
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(options.time_to_live.count(), 0, ttl_ms_max));
}

// Messages of one batch have one time to live, which ends at one time, and all of them ask for
// receipts, or none.
bool PublisherCore::admits_other(const MessageOptions& options) const noexcept {
  const Segment& segment = Segment::of(block_);
  if (segment.builder.count() == 0) return true;
  if (segment.ttl_ms != life_of(options) || segment.asks_receipts != options.receipt) return false;
  if (segment.ttl_ms == 0) return true;
  const base::Nanos ends_at = agent_->clock().now() + segment.ttl_ms * base::millisecond;
  return ends_at - segment.expires_at <= life_slack;
}

void PublisherCore::begin_life(Segment& segment, const MessageOptions& options) noexcept {
  if (segment.builder.count() > 0) return;
  segment.asks_receipts = options.receipt;
  segment.ttl_ms = life_of(options);
  segment.expires_at =
      segment.ttl_ms == 0 ? 0 : agent_->clock().now() + segment.ttl_ms * base::millisecond;
}

// Makes a written payload part of the stream, or moves it on if its segment was taken meanwhile.
SendStatus PublisherCore::finish_commit(std::span<std::byte> written, const MessageOptions& options,
                                        bool is_admitted) {
  Segment* segment = &Segment::of(block_);
  bool is_committed = false;
  if (is_admitted) {
    begin_life(*segment, options);
    segment->builder.commit_entry(written.size(), options.key, options.correlation, 0, kind_);
    is_committed = segment->tally.commit();
  }
  if (!is_committed) {
    const mem::Buffer old = block_.share();  // keeps `written` alive
    if (!open_segment(written.size())) return refuse(SendStatus::back_pressured);
    segment = &Segment::of(block_);
    const std::span<std::byte> space = segment->builder.claim(written.size());
    std::memcpy(space.data(), written.data(), written.size());
    begin_life(*segment, options);
    segment->builder.commit_entry(written.size(), options.key, options.correlation, 0, kind_);
    // Nobody can have taken a segment that has nothing committed.
    (void)segment->tally.commit();
  }
  ++pushed_;
  pushed_bytes_ += base::align_up(written.size(), 8);
  if (row_ != nullptr) row_->set(PublicationCounter::pushed, pushed_);
  if (wants_knock(options.more)) knock();
  if (!keeps_block_) block_.reset();
  return SendStatus::queued;
}

// Whether the session has to look at the open segment now. Requires: there is one.
bool PublisherCore::wants_knock(bool more) const noexcept {
  const Segment& segment = Segment::of(block_);
  const std::uint32_t staged = static_cast<std::uint32_t>(segment.builder.blob_bytes()) +
                               segment.builder.count() * std::uint32_t{sizeof(wire::MessageEntry)};
  if (more && keeps_block_ && staged < gathered_bytes_max) return false;
  return must_knock_ || news_->wants_knock(staged);
}

void PublisherCore::push() {
  if (agent_->is_forked() || is_closed()) return;
  if (must_knock_ || (block_ && wants_knock(false))) knock();
}

void PublisherCore::knock() {
  must_knock_ = false;
  agent_->step_now();
}

Claim PublisherCore::claim(std::size_t bytes) {
  claim_ = {};
  claimed_.reset();
  if (is_closed()) return {refuse(SendStatus::closed), {}};
  if (bytes > payload_bytes_max_) return {refuse(SendStatus::too_large), {}};
  if (bytes > unit_bytes_) {
    claimed_ = agent_->pool().try_acquire_spare(bytes);
    if (!claimed_) {
      agent_->note_pool_miss();
      return {refuse(SendStatus::back_pressured), {}};
    }
    claim_ = claimed_.span();
    return {SendStatus::queued, claim_};
  }
  if (block_) claim_ = Segment::of(block_).builder.claim(bytes);
  if (claim_.data() == nullptr) {
    if (!open_segment(bytes)) return {refuse(SendStatus::back_pressured), {}};
    claim_ = Segment::of(block_).builder.claim(bytes);
  }
  return {SendStatus::queued, claim_};
}

SendStatus PublisherCore::commit(std::size_t bytes, const MessageOptions& options) {
  if (agent_->is_forked()) return SendStatus::closed;
  if (is_closed()) return refuse(SendStatus::closed);
  if (claim_.data() == nullptr || bytes > claim_.size()) return refuse(SendStatus::too_large);
  const std::span<std::byte> written = claim_.first(bytes);
  claim_ = {};
  if (!claimed_) return finish_commit(written, options, admits(options));
  const SendStatus status = try_publish(written, options);
  claimed_.reset();
  return status;
}

void PublisherCore::release() {
  block_.reset();
  agent_->release_stream(stream_, std::move(producer_));
}

}  // namespace abuzz::client
