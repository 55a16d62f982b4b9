#include "bus/client/subscription_core.hpp"

#include <cstdlib>
#include <cstring>

// Payloads that came in chunks, put together.

namespace abuzz::client {

namespace {

// So often the pool is asked again before a train gets memory of its own.
constexpr std::uint32_t pool_patience = 3;

// Memory that goes when the buffer does. What is out in this way is bounded by the windows of the
// subscriptions, as all trains are.
mem::Buffer acquire_beside(mem::Pool& pool, std::size_t bytes) {
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(64, base::align_up(bytes, 64)));
  if (memory == nullptr) return {};
  mem::Buffer buffer = pool.try_adopt(
      memory, bytes, [](void*, std::byte* own, std::size_t, void*) noexcept { std::free(own); },
      nullptr, nullptr);
  if (!buffer) std::free(memory);
  return buffer;
}

}  // namespace

// Reserves the whole payload of a train, so that one that was started can be finished.
bool SubscriptionCore::begin_train(StreamMemory& stream) {
  drop_train(stream);
  const std::uint64_t bytes = view_.envelope().message_bytes;
  stream.train = pool_.try_acquire(bytes);
  // The pool may grow first. Where it cannot, other trains that were begun have what it had, and
  // may need chunks that stand behind this one: nobody waits for whom.
  if (!stream.train && train_misses_ >= pool_patience) stream.train = acquire_beside(pool_, bytes);
  if (!stream.train) {
    ++train_misses_;
    row_->add(SubscriptionCounter::pool_misses);
    return false;
  }
  train_misses_ = 0;
  stream.train_charge = wire::charged_bytes(view_.envelope());
  stream.train_generation = counted_generation.hint();
  stream.filled = 0;
  stream.next_chunk = 0;
  return true;
}

// Puts chunks together. True when the payload is whole: one message stands ready.
bool SubscriptionCore::begin_chunk(StreamMemory& stream) {
  const wire::Envelope& envelope = view_.envelope();
  const bool is_last = (envelope.flags & wire::batch_last_chunk) != 0;
  const std::span<const std::byte> part = view_.payload(0);
  const bool fits = stream.train && envelope.chunk_index == stream.next_chunk &&
                    stream.filled + part.size() <= stream.train.bytes();
  if (fits) {
    std::memcpy(stream.train.data() + stream.filled, part.data(), part.size());
    stream.filled += part.size();
    ++stream.next_chunk;
  } else {
    stream.train.reset();
  }
  if (!is_last) return false;
  const bool is_whole = stream.train && stream.filled == envelope.message_bytes;
  const std::uint64_t charge = stream.train_charge;
  stream.train_charge = 0;
  whole_ = std::move(stream.train);
  const bool is_repeat = !is_member() && envelope.first_seq <= stream.last_seq;
  if (!is_whole || is_repeat || is_expired()) {
    whole_.reset();
    if (is_repeat) {
      pass_over(stream, envelope.first_seq, 1);
      consume(1, charge);
      finish();
    } else {
      reject(current_, charge, is_whole ? Error::expired : Error::bad_batch);
    }
    return false;
  }
  note_taken(stream, envelope.first_seq, envelope.first_seq);
  row_->add(SubscriptionCounter::received);
  consume(1, charge);
  next_ = 0;
  end_ = 1;
  return true;
}

// The slice of an abort names the stream whose chunk train will not be complete.
void SubscriptionCore::end_train(const Delivery& delivery) {
  wire::AbortKey key;
  if (delivery.slice.bytes() != sizeof(key)) return;
  std::memcpy(&key, delivery.slice.data(), sizeof(key));
  const auto found = streams_.find({key.agent_id, key.publisher_id, key.publisher_epoch});
  if (found != streams_.end()) drop_train(found->second);
}

void SubscriptionCore::drop_train(StreamMemory& stream) {
  if (stream.train_charge > 0 && stream.train_generation == counted_generation.hint())
    give_back(0, stream.train_charge);
  stream.train.reset();
  stream.train_charge = 0;
}

}  // namespace abuzz::client
