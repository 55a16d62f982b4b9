#include <algorithm>
#include <cstring>
#include <limits>

#include "bus/client/session.hpp"

// Batches going out, second half: sealed ones put into frames, inside the credit of the link.

namespace abuzz::client {

namespace {

// A batch this big is framed in place; smaller ones are copied together into one frame.
constexpr std::size_t in_place_bytes_min = 4 * base::kib;
constexpr std::size_t frame_bytes_target = 64 * base::kib;
// The largest frame that is not framed in place.
constexpr std::size_t reserve_bytes = 2 * frame_bytes_target + 2 * base::kib;
static_assert(frame_bytes_target + wire::control_bytes_max + in_place_bytes_min < reserve_bytes);

}  // namespace

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
  if (batch.last_seq() > stream.limit_seq ||
      stream.sent_bytes + batch.charge > stream.limit_bytes) {
    hold(stream, batch.last_seq(), batch.charge);
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
