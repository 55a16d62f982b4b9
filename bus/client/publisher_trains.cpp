#include <algorithm>
#include <cstring>
#include <utility>

#include "bus/client/agent_core.hpp"
#include "bus/client/publisher_core.hpp"

// Payloads that are too long for one batch, cut into chunks.

namespace abuzz::client {

// One chunk as a segment of its own, complete before it is handed over.
mem::Buffer PublisherCore::make_chunk(std::span<const std::byte> part,
                                      const MessageOptions& options) {
  mem::Buffer block = agent_->pool().try_acquire_spare(bytes_for_one(part.size()));
  if (!block) {
    agent_->note_pool_miss();
    return {};
  }
  Segment& segment = Segment::create(block, 1, topic_.size());
  const std::span<std::byte> space = segment.builder.claim(part.size());
  std::memcpy(space.data(), part.data(), part.size());
  begin_life(segment, options);
  segment.builder.commit_entry(part.size(), options.key, options.correlation, 0, kind_);
  (void)segment.tally.commit();
  return block;
}

// A payload longer than one batch: consecutive chunks, handed over all or none.
SendStatus PublisherCore::publish_train(std::span<const std::byte> payload,
                                        const MessageOptions& options) {
  // What was gathered before it does not stand in its way.
  if (must_knock_) knock();
  const std::uint64_t staged = pushed_bytes_ - news_->sealed_bytes.read();
  if (staged > 0 && staged + payload.size() > staged_bytes_max)
    return refuse(SendStatus::back_pressured);
  const std::size_t count = (payload.size() + unit_bytes_ - 1) / unit_bytes_;
  std::vector<mem::Buffer>& chunks = train_;
  chunks.clear();
  for (std::size_t index = 0; index < count; ++index) {
    const std::size_t offset = index * unit_bytes_;
    mem::Buffer block = make_chunk(
        payload.subspan(offset, std::min(unit_bytes_, payload.size() - offset)), options);
    if (!block) {
      chunks.clear();
      return refuse(SendStatus::back_pressured);
    }
    Segment& segment = Segment::of(block);
    segment.chunk_flags = wire::batch_chunk | (index + 1 == count ? wire::batch_last_chunk : 0);
    segment.chunk_index = static_cast<std::uint32_t>(index);
    segment.chunk_count = static_cast<std::uint32_t>(count);
    segment.message_bytes = payload.size();
    chunks.push_back(std::move(block));
  }
  block_.reset();
  std::size_t pushed = 0;
  for (mem::Buffer& chunk : chunks) {
    // The quota is larger than any train; it may be used up by segments that wait.
    while (!producer_.try_push(Staged{chunk.share(), &stream_})) {
      if (pushed == 0) {
        chunks.clear();
        return refuse(SendStatus::back_pressured);
      }
      agent_->step_now();
    }
    ++pushed;
  }
  chunks.clear();
  ++pushed_;
  pushed_bytes_ += base::align_up(payload.size(), 8);
  if (row_ != nullptr) row_->set(PublicationCounter::pushed, pushed_);
  knock();
  return SendStatus::queued;
}

}  // namespace abuzz::client
