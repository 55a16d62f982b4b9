#include "bus/delivery/retained_intake.hpp"

#include <cstring>
#include <utility>

namespace abuzz::delivery {

namespace {

bool is_chunk(const wire::Envelope& envelope) noexcept {
  return (envelope.flags & wire::batch_chunk) != 0;
}

}  // namespace

mem::Buffer seal_again(const wire::BatchView& view, std::uint32_t first, std::uint32_t count,
                       mem::Pool& pool) {
  std::size_t bytes = 0;
  for (std::uint32_t index = first; index < first + count; ++index) {
    const wire::MessageEntry entry = view.entry(index);
    if (entry.extra != 0 || entry.flags != 0) return {};
    bytes += base::align_up(entry.bytes, wire::BatchBuilder::payload_alignment);
  }
  const std::size_t topic_bytes = view.topic().size();
  mem::Buffer block =
      pool.try_acquire_spare(wire::BatchBuilder::bytes_needed(count, topic_bytes, bytes));
  if (!block) return {};
  wire::BatchBuilder builder(block.span(), count, topic_bytes);
  for (std::uint32_t index = first; index < first + count; ++index) {
    const wire::MessageEntry entry = view.entry(index);
    const std::span<const std::byte> payload = view.payload(index);
    const std::span<std::byte> space = builder.claim(payload.size());
    if (!payload.empty()) std::memcpy(space.data(), payload.data(), payload.size());
    builder.commit_entry(payload.size(), entry.key, entry.correlation, entry.delta_us);
  }
  wire::Envelope envelope = view.envelope();
  envelope.first_seq += first;
  envelope.codec = wire::Codec::raw;
  const wire::BatchBuilder::Sealed sealed = builder.seal(count, envelope, view.topic());
  return block.slice(sealed.offset, sealed.bytes);
}

void RetainedIntake::abort(Source& source) noexcept {
  source.chunks.clear();
  source.misses_train = false;
}

RetainedIntake::Outcome RetainedIntake::take(Source& source, Item&& item) {
  taken_.clear();
  if (is_chunk(item.head.envelope)) return take_chunk(source, std::move(item));
  const wire::Envelope& envelope = item.head.envelope;
  if ((envelope.flags & wire::batch_has_keys) != 0) return take_keyed(source, std::move(item));
  RetainedBatch batch;
  batch.envelope = envelope;
  batch.expires_at = item.expires_at;
  batch.slice = own_copy(std::move(item.slice));
  return put(source, std::move(batch), item.skip, envelope.message_count - item.skip, 0,
             item.is_restored);
}

// A slice that keeps alive much more than itself.
mem::Buffer RetainedIntake::own_copy(mem::Buffer&& slice) {
  const std::size_t bytes = slice.bytes();
  if (slice.block_bytes() <= 2 * bytes + 1024) return std::move(slice);
  mem::Buffer copy = pool_.try_acquire_spare(bytes);
  if (!copy || copy.block_bytes() >= slice.block_bytes()) return std::move(slice);
  std::memcpy(copy.data(), slice.data(), bytes);
  return copy;
}

RetainedIntake::Outcome RetainedIntake::put(Source& source, RetainedBatch&& batch,
                                            std::uint32_t first, std::uint32_t count,
                                            std::uint64_t key, bool is_restored) {
  const std::span<const std::uint64_t> keys(&key, key == 0 ? 0 : 1);
  const RetainedBatch* held =
      is_restored ? store_.restore(*source.topic, std::move(batch), first, count, keys)
                  : store_.keep(*source.topic, std::move(batch), first, count, keys);
  if (held == nullptr) return Outcome::passed;
  taken_.push_back({held, first, count, key});
  return Outcome::kept;
}

// HOT: shard thread, once a batch with keys of a topic that is retained.
RetainedIntake::Outcome RetainedIntake::take_keyed(Source& source, Item&& item) {
  wire::BatchView view;
  const wire::Reject reject = wire::verify(item.slice.share(), pool_, {}, view);
  if (reject == wire::Reject::no_buffer) return Outcome::passed;
  if (reject != wire::Reject::none) return Outcome::refused;
  Outcome outcome = Outcome::passed;
  for (std::uint32_t index = item.skip; index < view.count(); ++index) {
    RetainedBatch batch;
    batch.envelope = view.envelope();
    batch.expires_at = item.expires_at;
    std::uint32_t first = 0;
    if (view.count() > 1) batch.slice = seal_again(view, index, 1, pool_);
    wire::BatchHead head;
    if (batch.slice && wire::BatchHead::parse(batch.slice.span(), head) == wire::Reject::none) {
      batch.envelope = head.envelope;
    } else {
      batch.slice = own_copy(item.slice.share());
      first = index;
    }
    const Outcome one =
        put(source, std::move(batch), first, 1, view.entry(index).key, item.is_restored);
    if (one == Outcome::kept) outcome = Outcome::kept;
  }
  return outcome;
}

RetainedIntake::Outcome RetainedIntake::take_chunk(Source& source, Item&& item) {
  const wire::Envelope& envelope = item.head.envelope;
  const bool is_last = (envelope.flags & wire::batch_last_chunk) != 0;
  if (envelope.chunk_index == 0) abort(source);
  source.misses_train = source.misses_train || envelope.chunk_index != source.chunks.size();
  if (!source.misses_train) source.chunks.push_back(own_copy(item.slice.share()));
  if (!is_last) return Outcome::incomplete;
  if (source.misses_train) {
    abort(source);
    return Outcome::passed;
  }
  std::uint64_t key = 0;
  if ((envelope.flags & wire::batch_has_keys) != 0) {
    wire::BatchView view;
    const wire::Reject reject = wire::verify(std::move(item.slice), pool_, {}, view);
    if (reject != wire::Reject::none) {
      abort(source);
      return reject == wire::Reject::no_buffer ? Outcome::passed : Outcome::refused;
    }
    key = view.entry(0).key;
  }
  RetainedBatch batch;
  batch.envelope = envelope;
  batch.expires_at = item.expires_at;
  batch.slice = std::move(source.chunks.front());
  for (std::size_t index = 1; index < source.chunks.size(); ++index)
    batch.chunks.push_back(std::move(source.chunks[index]));
  abort(source);
  return put(source, std::move(batch), 0, 1, key, item.is_restored);
}

}  // namespace abuzz::delivery
