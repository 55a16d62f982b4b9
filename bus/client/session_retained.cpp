#include <utility>

#include "bus/client/session.hpp"

// What the publishers of this agent wished to be retained: the node has it, but a node may be lost.
// So of what is settled the last messages are kept here too, and sent to the next node first.

namespace abuzz::client {

void Session::begin_retaining(Stream& stream) {
  stream.retained = std::make_unique<delivery::RetainedIntake::Source>();
  stream.retained->topic =
      &retained_.join(std::to_string(stream.publisher_id), stream.retain_messages);
}

// The batch is settled: it will not be sent again but from here.
void Session::retain(Stream& stream, const SealedBatch& batch) {
  wire::BatchHead head;
  if (batch.is_void || wire::BatchHead::parse(batch.bytes.span(), head) != wire::Reject::none)
    return;
  (void)retained_intake_.take(*stream.retained,
                              {batch.bytes.share(), head, 0, batch.expires_at, false});
}

// Another node, or one that has had only a part: all of it, in order.
void Session::restore(Stream& stream) {
  std::vector<delivery::RetainedPiece> pieces;
  stream.retained->topic->kept.collect(pieces, now_);
  for (const delivery::RetainedPiece& piece : pieces) add_restored(stream, piece);
  stream.needs_restore = stream.has_restored();
}

// A batch of which all is kept goes as it is; of another one, what is kept in a batch of its own.
void Session::add_restored(Stream& stream, const delivery::RetainedPiece& piece) {
  const delivery::RetainedBatch& kept = *piece.batch;
  SealedBatch batch;
  batch.is_restored = true;
  batch.is_chunk = !kept.chunks.empty();
  batch.expires_at = kept.expires_at;
  batch.first_seq = kept.envelope.first_seq;
  batch.count = kept.envelope.message_count;
  batch.bytes = kept.slice.share();
  if (batch.is_chunk) {
    batch.count = 0;
    for (std::size_t index = 0; index < kept.chunks.size(); ++index) {
      SealedBatch next = std::move(batch);
      batch = SealedBatch{};
      batch.is_restored = batch.is_chunk = true;
      batch.expires_at = kept.expires_at;
      batch.first_seq = kept.envelope.first_seq;
      batch.bytes = kept.chunks[index].share();
      stream.restored.push_back(std::move(next));
    }
    batch.count = 1;
  } else if (piece.count < batch.count) {
    wire::BatchView view;
    if (wire::verify(kept.slice.share(), parts_.pool, {}, view) != wire::Reject::none) return;
    batch.bytes = delivery::seal_again(view, piece.first, piece.count, parts_.pool);
    if (!batch.bytes) return;
    batch.first_seq += piece.first;
    batch.count = piece.count;
  }
  stream.restored.push_back(std::move(batch));
}

Session::Sent Session::send_restored(Stream& stream, std::uint64_t& sent_bytes) {
  SealedBatch& batch = stream.restored.at(stream.restored_sent);
  const std::size_t bytes = batch.bytes.bytes();
  if (!stream.is_advertised || !flow_->has_room(stream.lane, bytes, load_)) return Sent::none;
  const Sent sent = send_sealed(stream, batch);
  if (sent == Sent::one) sent_bytes = bytes;
  return sent;
}

void Session::forget_retained(Stream& stream) {
  retained_.clear(*stream.retained->topic);
  delivery::RetainedIntake::abort(*stream.retained);
  stream.drop_restored();
  stream.needs_restore = false;
}

}  // namespace abuzz::client
