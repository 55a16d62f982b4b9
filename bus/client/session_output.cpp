#include <algorithm>
#include <cstring>
#include <limits>

#include "bus/client/session.hpp"

// Batches going out: taken from publishers, sealed where they stand, sent inside credit.

namespace abuzz::client {

namespace {

// A batch this big is framed in place; smaller ones are copied together into one frame.
constexpr std::size_t in_place_bytes_min = 4 * base::kib;
constexpr std::size_t frame_bytes_target = 64 * base::kib;
// What a sealed batch has beyond its entries and blob, at most.
constexpr std::uint64_t batch_fixed_bytes = 128 + 160 + 64 + 32;
// The largest frame that is not framed in place.
constexpr std::size_t reserve_bytes = 2 * frame_bytes_target + 2 * base::kib;
static_assert(frame_bytes_target + wire::control_bytes_max + in_place_bytes_min < reserve_bytes);

}  // namespace

void Session::take_staged() {
  Staged staged;
  while (parts_.intake.pop(&staged, 1) == 1) {
    Stream& stream = *staged.stream;
    stream.staged.push_back(std::move(staged.segment));
    if (!stream.is_listed) {
      stream.is_listed = true;
      active_.push_back(&stream);
    }
  }
}

// 0: knock at once; 1: small frames are in flight, knock with a big one; 2: nothing may go.
std::uint32_t Session::knock_level() const noexcept {
  if (!link_ || !flow_) return 2;
  if (!flow_->has_room(Lane::normal, parts_.config.link.frame_eager_bytes, {})) return 2;
  if (unsent_.part_count > 0 ||
      flow_->frames_in_flight() >= delivery::LinkFlow::frames_in_flight_max)
    return 2;
  return flow_->frames_in_flight() >= parts_.config.link.frames_small_max ? 1 : 0;
}

// Tells publishers when to knock. Lowered before their segments are looked at, raised after it, so
// that a commit is either seen by this thread or its publisher sees the lower mark.
void Session::update_knocks(bool is_raising) {
  const std::uint32_t level = knock_level();
  if (is_raising ? level <= knock_level_ : level >= knock_level_) return;
  knock_level_ = level;
  const std::uint32_t bytes = knock_bytes();
  for (auto& stream : streams_)
    if (stream && !stream->is_held) stream->news->knock_bytes.publish_fenced(bytes);
}

std::uint32_t Session::knock_bytes() const noexcept {
  if (knock_level_ == 0) return 0;
  return knock_level_ == 1 ? parts_.config.link.frame_eager_bytes
                           : std::numeric_limits<std::uint32_t>::max();
}

std::size_t Session::send(base::Nanos now) {
  if (unsent_.part_count > 0 && link_->try_send(unsent_) != link::SendStatus::sent) return 0;
  if (!reserve_) reserve_ = parts_.pool.try_acquire(reserve_bytes);
  if (!reserve_) return 0;
  update_knocks(false);
  const std::uint64_t before = parts_.stats.process().get(ProcessCounter::frames_out);
  const bool is_held = flow_->frames_in_flight() >= parts_.config.link.frames_small_max;
  seal_ready(is_held);
  if (send_batches()) {
    collect_control(now);
    if (builder_.record_count() > 0 || flow_->is_ack_due()) flush_frame();
  }
  update_knocks(true);
  return parts_.stats.process().get(ProcessCounter::frames_out) - before;
}

void Session::seal_ready(bool is_held) {
  for (std::size_t index = 0; index < active_.size();) {
    Stream& stream = *active_[index];
    while (seal_head(stream, is_held)) {
    }
    if (stream.staged.is_empty() && stream.unsent == 0) {
      stream.is_listed = false;
      active_[index] = active_.back();
      active_.pop_back();
    } else {
      ++index;
    }
  }
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
  if (!stream.is_held) {
    stream.is_held = true;
    stream.news->knock_bytes.publish_fenced(std::numeric_limits<std::uint32_t>::max());
  }
  if (stream.wanted_seq >= last_seq) return;
  stream.wanted_seq = last_seq;
  control_.add(wire::Want{stream.handle, last_seq, stream.sent_bytes + charge});
}

wire::Envelope Session::envelope_of(const Stream& stream, const Segment& segment) {
  wire::Envelope envelope;
  envelope.lane = stream.lane;
  envelope.flags = segment.chunk_flags;
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
  const bool is_big = is_chunk || stream.staged.count() > 1 ||
                      blob + count * 32 >= parts_.config.link.frame_eager_bytes;
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
  stream.staged.pop_front();
  stream.head_is_taken = false;
  stream.last_seq += messages;
  stream.sent_bytes += batch.charge;
  stream.news->last_seq.publish(stream.last_seq);
  stream.news->sealed_bytes.publish(stream.news->sealed_bytes.hint() + blob);
  if (stream.row != nullptr) stream.row->set(PublicationCounter::last_seq, stream.last_seq);
  stream.sealed.push_back(std::move(batch));
  ++stream.unsent;
  changed();
  return true;
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
  stream.staged.pop_front();
  stream.head_is_taken = false;
  stream.news->sealed_bytes.publish(stream.news->sealed_bytes.hint() + blob);
  changed();
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
}

wire::Record Session::record_of(const Stream& stream, const SealedBatch& batch) const noexcept {
  wire::Record record;
  record.kind = wire::RecordKind::batch;
  record.lane = stream.lane;
  record.handle = stream.handle;
  record.message_count = batch.count;
  record.seq = batch.first_seq;
  record.slice_bytes = static_cast<std::uint32_t>(batch.bytes.bytes());
  if (batch.is_void) {
    record.kind = wire::RecordKind::void_range;
    record.attempt_or_reason = static_cast<std::uint16_t>(Error::expired);
  } else if (batch.expires_at != 0) {
    const base::Nanos left = std::max<base::Nanos>(batch.expires_at - now_, 1);
    record.ttl_left_ms =
        static_cast<std::uint32_t>((left + base::millisecond - 1) / base::millisecond);
  }
  return record;
}

wire::FrameHead Session::frame_head() const noexcept {
  wire::FrameHead head;
  head.session_epoch = session_epoch_;
  head.node_epoch = node_epoch.hint();
  return head;
}

// Puts every sealed batch that the link has room for into frames. False when the link is full.
bool Session::send_batches() {
  for (std::size_t index = 0; index < active_.size(); ++index) {
    Stream& stream = *active_[index];
    while (stream.unsent > 0) {
      SealedBatch& batch = stream.sealed.at(stream.sealed.count() - stream.unsent);
      if (is_over(batch.expires_at) && !batch.is_void && !batch.is_chunk) expire(stream, batch);
      const std::size_t bytes = batch.bytes.bytes();
      if (!stream.is_advertised || !flow_->has_room(stream.lane, bytes, load_)) break;
      if (!batch.is_counted && !count_again(stream, batch)) break;
      if (bytes >= in_place_bytes_min) {
        if (builder_.record_count() > 0 && !flush_frame()) return false;
        if (!(batch.block ? send_in_place(stream, batch) : send_copy(stream, batch))) return false;
      } else {
        const bool is_full =
            !builder_.has_room(2, 0) ||
            (builder_.record_count() > 0 && builder_.head_bytes() + bytes > frame_bytes_target);
        if (is_full && !flush_frame()) return false;
        add_inline(stream, batch);
      }
      --stream.unsent;
    }
  }
  return true;
}

// Charges a batch that is sent again to the credit of the present link.
bool Session::count_again(Stream& stream, SealedBatch& batch) {
  if (batch.first_seq + std::max(batch.count, 1u) - 1 > stream.limit_seq ||
      stream.sent_bytes + batch.charge > stream.limit_bytes) {
    hold(stream, batch.first_seq + std::max(batch.count, 1u) - 1, batch.charge);
    return false;
  }
  stream.sent_bytes += batch.charge;
  batch.is_counted = true;
  return true;
}

void Session::add_inline(Stream& stream, SealedBatch& batch) {
  if (batch.is_sent && stream.row != nullptr) stream.row->add(PublicationCounter::resent);
  batch.is_sent = true;
  batch.block.reset();
  if (batch.is_void)
    builder_.add_reference(record_of(stream, batch));
  else
    builder_.add_inline(record_of(stream, batch), batch.bytes.span());
  load_.add(stream.lane, static_cast<std::uint32_t>(batch.bytes.bytes()));
}

// HOT: whoever steps, once a big batch. Head and record go directly in front of it: no copy.
bool Session::send_in_place(Stream& stream, SealedBatch& batch) {
  wire::FrameHead head = frame_head();
  load_ = {};
  load_.add(stream.lane, static_cast<std::uint32_t>(batch.bytes.bytes()));
  flow_->stamp(head, load_);
  load_ = {};
  const std::size_t start =
      wire::write_frame_in_place(batch.block.span(), batch.offset, head, record_of(stream, batch));
  const std::size_t end = batch.offset + batch.bytes.bytes();
  mem::Buffer part = batch.block.slice(start, end - start);
  // The head is written once: a later link copies the batch.
  batch.block.reset();
  batch.is_sent = true;
  return send_frame(std::move(part));
}

// A batch that was framed in place before goes out in a copy of its own: its block may still be
// read by the link that was lost.
bool Session::send_copy(Stream& stream, SealedBatch& batch) {
  const std::size_t bytes = batch.bytes.bytes();
  mem::Buffer part = parts_.pool.try_acquire(wire::in_place_headroom + bytes);
  if (!part) return false;
  std::memcpy(part.data() + wire::in_place_headroom, batch.bytes.data(), bytes);
  wire::FrameHead head = frame_head();
  load_ = {};
  load_.add(stream.lane, static_cast<std::uint32_t>(bytes));
  flow_->stamp(head, load_);
  load_ = {};
  const std::size_t start = wire::write_frame_in_place(part.span(), wire::in_place_headroom, head,
                                                       record_of(stream, batch));
  part.narrow(start, part.bytes() - start);
  if (stream.row != nullptr) stream.row->add(PublicationCounter::resent);
  return send_frame(std::move(part));
}

// Sends the frame under construction, or an acknowledgement alone.
bool Session::flush_frame() {
  mem::Buffer part = parts_.pool.try_acquire(builder_.head_bytes());
  if (!part) {
    part = std::move(reserve_);
    part.narrow(0, builder_.head_bytes());
  }
  wire::FrameHead head = frame_head();
  flow_->stamp(head, load_);
  load_ = {};
  builder_.finish(head, part.span());
  builder_.clear();
  return send_frame(std::move(part));
}

bool Session::send_frame(mem::Buffer&& part) {
  StatsRow& process = parts_.stats.process();
  process.add(ProcessCounter::frames_out);
  process.add(ProcessCounter::bytes_out, part.bytes());
  unsent_.clear();
  unsent_.add(std::move(part));
  return link_->try_send(unsent_) == link::SendStatus::sent && reserve_;
}

}  // namespace abuzz::client
