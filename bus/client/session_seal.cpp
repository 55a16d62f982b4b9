#include <algorithm>

#include "bus/client/session.hpp"

// Batches going out, first half: taken from publishers and sealed where they stand, inside the
// credit of their publication.

namespace abuzz::client {

namespace {

// What a sealed batch has beyond its entries and blob, at most.
constexpr std::uint64_t batch_fixed_bytes = 128 + 160 + 64 + 32;

}  // namespace

void Session::take_staged() {
  Staged staged;
  while (parts_.intake.pop(&staged, 1) == 1) {
    Stream& stream = *staged.stream;
    stream.staged.push_back(std::move(staged.segment));
    list(stream);
  }
}

void Session::list(Stream& stream) {
  if (stream.is_listed) return;
  stream.is_listed = true;
  active_[wire::lane_index(stream.lane)].streams.push_back(&stream);
}

void Session::unlist(Stream& stream) noexcept {
  if (!stream.is_listed) return;
  stream.is_listed = false;
  std::erase(active_[wire::lane_index(stream.lane)].streams, &stream);
}

// Whether credit of the publication covers one more batch; if not, asks for it once.
bool Session::has_credit(Stream& stream, std::uint32_t count, std::uint64_t charge) {
  if (stream.last_seq + count <= stream.limit_seq &&
      stream.sent_bytes + charge <= stream.limit_bytes)
    return true;
  hold(stream, stream.last_seq + std::max(count, 1u), charge);
  return false;
}

// The batch that ends with `last_seq` has no credit: it is asked for once, and the publisher need
// not knock until it comes.
void Session::hold(Stream& stream, std::uint64_t last_seq, std::uint64_t charge) {
  if (!stream.news->is_held.hint()) stream.news->is_held.publish_fenced(true);
  if (stream.wanted_seq >= last_seq) return;
  stream.wanted_seq = last_seq;
  control_.add(wire::Want{stream.handle, last_seq, stream.sent_bytes + charge});
}

wire::Envelope Session::envelope_of(const Stream& stream, const Segment& segment) {
  wire::Envelope envelope;
  envelope.lane = stream.lane;
  envelope.flags = segment.chunk_flags | (segment.asks_receipts ? wire::batch_asks_receipts : 0);
  envelope.origin = node_id_;
  envelope.agent_id = agent_id.hint();
  envelope.publisher_id = stream.publisher_id;
  envelope.publisher_epoch = stream.publisher_epoch;
  envelope.first_seq = stream.last_seq + 1;
  envelope.ttl_ms = segment.ttl_ms;
  envelope.send_time_ns = parts_.clock.wall_now();
  envelope.chunk_index = segment.chunk_index;
  envelope.chunk_count = segment.chunk_count;
  envelope.message_bytes = segment.message_bytes;
  return envelope;
}

// Seals the oldest segment of a stream if it may be sent now. Returns whether it did.
bool Session::seal_head(Stream& stream, bool is_held) {
  if (stream.staged.is_empty() || stream.news->state.hint() == StreamState::advertising ||
      stream.news->state.hint() == StreamState::refused || !stream.is_advertised)
    return false;
  if (stream.unsent > 0 && !stream.sealed.back().is_counted) return false;
  mem::Buffer& block = stream.staged.front();
  Segment& segment = Segment::of(block);
  std::uint32_t count = stream.head_is_taken ? stream.head_count : segment.tally.committed();
  if (count == 0) {
    // An empty segment behind which others wait is one that its publisher gave up.
    if (stream.staged.count() == 1 && !stream.is_withdrawing && !is_leaving_) return false;
    count = segment.tally.take();
    if (count == 0) {
      stream.staged.pop_front();
      return true;
    }
    stream.head_is_taken = true;
    stream.head_count = count;
  }
  const bool is_chunk = segment.chunk_flags != 0;
  if (is_chunk && segment.chunk_index == 0) stream.voids_train = is_over(segment.expires_at);
  if (is_chunk ? stream.voids_train : is_over(segment.expires_at)) return void_head(stream);
  const std::size_t blob = base::align_up(segment.builder.committed_bytes(count), 8);
  const bool is_big =
      is_chunk || stream.staged.count() > 1 || blob + count * 32 >= eager_bytes(stream.lane);
  if (is_held && !is_big) return false;
  const std::uint32_t messages =
      is_chunk && (segment.chunk_flags & wire::batch_last_chunk) == 0 ? 0 : count;
  std::uint64_t charge = blob + std::uint64_t{count} * 32 + batch_fixed_bytes;
  if (is_chunk)
    charge = segment.chunk_index == 0
                 ? segment.message_bytes + wire::chunk_overhead_bytes * segment.chunk_count
                 : 0;
  if (!has_credit(stream, is_chunk ? 1 : messages, charge)) return false;
  if (!flow_->has_room(stream.lane, blob + count * 32, load_)) return false;
  if (!stream.head_is_taken) {
    // More may have been committed since; then credit is asked again, for what was taken.
    stream.head_count = segment.tally.take();
    stream.head_is_taken = true;
    if (stream.head_count != count) return true;
  }
  const wire::Envelope envelope = envelope_of(stream, segment);
  const wire::BatchBuilder::Sealed sealed = segment.builder.seal(count, envelope, stream.topic);
  SealedBatch batch;
  batch.offset = Segment::head_bytes + sealed.offset;
  batch.bytes = block.slice(batch.offset, sealed.bytes);
  batch.block = std::move(block);
  batch.first_seq = envelope.first_seq;
  batch.count = messages;
  batch.is_chunk = is_chunk;
  batch.charge = is_chunk ? charge : sealed.bytes;
  batch.ttl_ms = segment.ttl_ms;
  batch.expires_at = segment.expires_at;
  if (segment.asks_receipts) note_asked(stream, envelope.first_seq, messages, false);
  stream.staged.pop_front();
  stream.head_is_taken = false;
  stream.last_seq += messages;
  stream.sent_bytes += batch.charge;
  stream.news->last_seq.publish(stream.last_seq);
  if (stream.row != nullptr) stream.row->set(PublicationCounter::last_seq, stream.last_seq);
  stream.sealed.push_back(std::move(batch));
  ++stream.unsent;
  note_sealed(stream, blob);
  return true;
}

// A publisher that waits for more room than that sleeps on.
void Session::note_sealed(Stream& stream, std::uint64_t bytes) noexcept {
  StreamNews& told = *stream.news;
  const std::uint64_t sealed = told.sealed_bytes.hint() + bytes;
  told.sealed_bytes.publish_fenced(sealed);
  if (sealed >= told.room_at.read_fenced()) changed();
}

bool Session::is_over(base::Nanos expires_at) const noexcept {
  return expires_at != 0 && now_ >= expires_at;
}

// The oldest segment has outlived its time to live: its sequences are told as void. Of a chunk
// train, with the last chunk.
bool Session::void_head(Stream& stream) {
  Segment& segment = Segment::of(stream.staged.front());
  const std::uint32_t taken = stream.head_is_taken ? stream.head_count : segment.tally.take();
  const std::uint64_t blob = base::align_up(segment.builder.committed_bytes(taken), 8);
  const bool is_part = (segment.chunk_flags & wire::batch_chunk) != 0 &&
                       (segment.chunk_flags & wire::batch_last_chunk) == 0;
  if (segment.asks_receipts && !is_part) note_asked(stream, stream.last_seq + 1, taken, true);
  stream.staged.pop_front();
  stream.head_is_taken = false;
  note_sealed(stream, blob);
  if (is_part || taken == 0) return true;
  SealedBatch batch;
  batch.first_seq = stream.last_seq + 1;
  batch.count = taken;
  batch.is_void = true;
  stream.last_seq += taken;
  stream.news->last_seq.publish(stream.last_seq);
  if (stream.row != nullptr) stream.row->set(PublicationCounter::last_seq, stream.last_seq);
  stream.sealed.push_back(std::move(batch));
  ++stream.unsent;
  return true;
}

// Of a sealed batch that waits to be sent, the first time or again, whose time is over.
void Session::expire(Stream& stream, SealedBatch& batch) {
  if (batch.is_counted) stream.sent_bytes -= batch.charge;
  batch.is_void = true;
  batch.is_counted = true;
  batch.charge = 0;
  batch.bytes.reset();
  batch.block.reset();
  if (stream.receipts) note_expired(stream, batch.first_seq, batch.count);
}

}  // namespace abuzz::client
