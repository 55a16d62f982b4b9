#include <algorithm>

#include "bus/client/session.hpp"
#include "bus/topic.hpp"

// Receipts of single messages: asked for at seal, told by the node, unknown where it is lost.

namespace abuzz::client {

namespace {

// How long the confirmation of receipts may wait for a frame that carries it along.
constexpr base::Nanos confirm_delay = 2 * base::millisecond;

}  // namespace

void Session::note_asked(Stream& stream, std::uint64_t first_seq, std::uint32_t count,
                         bool is_expired) {
  stream.asked_receipts().ask(first_seq, count, now_);
  if (is_expired) note_expired(stream, first_seq, count);
}

// No node will tell of these: only their sequences go there.
void Session::note_expired(Stream& stream, std::uint64_t first_seq, std::uint32_t count) {
  wire::Receipt run;
  run.first_seq = first_seq;
  run.count = count;
  run.outcome = ReceiptOutcome::dropped;
  run.reason = DropReason::expired;
  stream.receipts->settle(run, now_);
  changed();
}

void Session::on(const wire::Receipt& item) {
  Stream* stream = find_stream(item.publication);
  if (stream == nullptr || !stream->receipts || item.number <= stream->receipts_seen) return;
  stream->receipts_seen = item.number;
  list_question(*stream);
  if (settle_at_ == 0) settle_at_ = now_ + confirm_delay;
  stream->receipts->settle(item, now_);
  if (request_mail_ != nullptr && is_about_requests(stream->topic)) (void)request_mail_->note(item);
  changed();
}

// The next node knows nothing of what this one was to tell.
void Session::lose_receipts(Stream& stream) {
  if (!stream.receipts) return;
  const std::uint64_t kept =
      stream.sealed.is_empty() ? stream.last_seq + 1 : stream.sealed.front().first_seq;
  stream.receipts->lose_node(stream.sent_seq(), kept, now_);
  // Of what has expired since, the next node is sent the sequences only.
  for (std::size_t index = 0; index < stream.sealed.count(); ++index) {
    const SealedBatch& batch = stream.sealed.at(index);
    if (batch.is_void) note_expired(stream, batch.first_seq, batch.count);
  }
  changed();
}

// The node has just met this publication: its numbers begin with 1.
void Session::begin_receipts(Stream& stream, std::uint64_t accepted_seq) {
  stream.receipts_seen = stream.receipts_told = 0;
  if (stream.receipts) stream.receipts->meet_node(accepted_seq, stream.sent_seq(), now_);
}

Receipt Session::receipt(Stream& stream, std::uint64_t seq) {
  if (seq <= stream.last_seq) return stream.receipts ? stream.receipts->find(seq) : Receipt{};
  // It is in a segment that is not sealed yet.
  take_staged();
  Receipt receipt;
  std::uint64_t end = stream.last_seq + 1;
  for (std::size_t index = 0; index < stream.staged.count() && seq >= end; ++index) {
    const Segment& segment = Segment::of(stream.staged.at(index));
    const bool is_part =
        segment.chunk_flags != 0 && (segment.chunk_flags & wire::batch_last_chunk) == 0;
    const std::uint32_t committed =
        index == 0 && stream.head_is_taken ? stream.head_count : segment.tally.committed();
    end += is_part ? 0 : committed;
    if (seq < end && segment.asks_receipts) receipt.outcome = ReceiptOutcome::pending;
  }
  return receipt;
}

Receipt Session::retry_receipt(Stream& stream, std::uint64_t seq) {
  if (seq > stream.last_seq || !stream.receipts) return receipt(stream, seq);
  return stream.receipts->retry(seq);
}

}  // namespace abuzz::client
