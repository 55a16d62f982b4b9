#include <algorithm>
#include <cstring>
#include <limits>

#include "bus/client/session.hpp"
#include "bus/wire/life.hpp"

// Batches going out, second half: sealed ones put into frames, inside the credit of the link.

namespace abuzz::client {

namespace {

// A batch this big is framed in place; smaller ones are copied together into one frame.
constexpr std::size_t in_place_bytes_min = 4 * base::kib;
constexpr std::size_t frame_bytes_target = 64 * base::kib;
// So much of one stream before the next one of its lane.
constexpr std::uint64_t turn_bytes_max = 64 * base::kib;
// The largest frame that is not framed in place.
constexpr std::size_t reserve_bytes = 2 * frame_bytes_target + 2 * base::kib;
static_assert(frame_bytes_target + wire::control_bytes_max + in_place_bytes_min < reserve_bytes);

}  // namespace

// A frame this big does not wait for others to be acknowledged; of a lane with a small window no
// more than half of that.
std::uint32_t Session::eager_bytes(Lane lane) const noexcept {
  const std::uint32_t bytes = parts_.config.link.frame_eager_bytes;
  return flow_ ? std::min(bytes, flow_->window_bytes(lane) / 2) : bytes;
}

// 0: knock at once; 1: small frames are in flight, knock with a big one; 2: nothing may go.
std::uint32_t Session::knock_level(Lane lane) const noexcept {
  if (!link_ || !flow_) return 2;
  if (!flow_->has_room(lane, eager_bytes(lane), {})) return 2;
  if (unsent_.part_count > 0 ||
      flow_->frames_in_flight() >= delivery::LinkFlow::frames_in_flight_max)
    return 2;
  return flow_->frames_in_flight(lane) >= parts_.config.link.frames_small_max ? 1 : 0;
}

// Tells publishers when to knock. Lowered before their segments are looked at, raised after it, so
// that a commit is either seen by this thread or its publisher sees the lower mark.
void Session::update_knocks(bool is_raising) {
  for (std::size_t lane = 0; lane < wire::data_lanes; ++lane) {
    const std::uint32_t level = knock_level(wire::lane_at(lane));
    if (is_raising ? level <= knock_levels_[lane] : level >= knock_levels_[lane]) continue;
    set_knock_level(lane, level);
  }
}

void Session::set_knock_level(std::size_t lane, std::uint32_t level) noexcept {
  const std::uint32_t bytes[] = {0, eager_bytes(wire::lane_at(lane)),
                                 std::numeric_limits<std::uint32_t>::max()};
  knock_levels_[lane] = level;
  knock_bytes_[lane].publish_fenced(bytes[level]);
}

std::size_t Session::send(base::Nanos now) {
  if (unsent_.part_count > 0 && link_->try_send(unsent_) != link::SendStatus::sent) return 0;
  if (!reserve_) reserve_ = parts_.pool.try_acquire(reserve_bytes);
  if (!reserve_) return 0;
  update_knocks(false);
  const std::uint64_t before = parts_.stats.process().get(ProcessCounter::frames_out);
  for (std::size_t lane = 0; lane < wire::data_lanes; ++lane)
    active_[lane].is_held =
        flow_->frames_in_flight(wire::lane_at(lane)) >= parts_.config.link.frames_small_max;
  // What was to be said before this step goes in front of everything.
  add_control();
  if (send_batches()) {
    collect_control(now);
    const bool is_due = flow_->is_ack_due() || probe_.owes_answer() || probe_.is_due(now);
    if (builder_.record_count() > 0 || is_due) flush_frame();
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
  if (batch.may_repeat) record.flags = wire::record_may_repeat;
  if (batch.is_restored) record.flags = wire::record_resume | wire::record_retained;
  if (batch.is_void) {
    record.kind = wire::RecordKind::void_range;
    record.attempt_or_reason = static_cast<std::uint16_t>(Error::expired);
  } else {
    record.ttl_left_ms = wire::ttl_left_ms(batch.expires_at, now_);
  }
  return record;
}

// Of the next frame, which carries `load_`. `has_news`: it has records.
wire::FrameHead Session::stamped_head(bool has_news) {
  wire::FrameHead head;
  head.session_epoch = session_epoch_;
  head.node_epoch = node_epoch.hint();
  flow_->stamp(head, load_);
  probe_.stamp(head, has_news, now_);
  load_ = {};
  StatsRow& process = parts_.stats.process();
  if (flow_->bulk_ahead_bytes() > process.get(ProcessCounter::bulk_ahead_bytes))
    process.set(ProcessCounter::bulk_ahead_bytes, flow_->bulk_ahead_bytes());
  return head;
}

// Seals what the link has room for and puts it into frames, a batch at a time, the higher lanes
// first. False when the link takes no more.
bool Session::send_batches() {
  delivery::LaneTurn::Waiting waiting = 0;
  for (std::size_t lane = 0; lane < wire::data_lanes; ++lane)
    if (!active_[lane].streams.empty()) waiting |= delivery::LaneTurn::bit(lane);
  while (waiting != 0) {
    const std::size_t lane = turn_.next(waiting, now_);
    std::uint64_t bytes = 0;
    switch (send_unit(lane, bytes)) {
      case Sent::one:
        turn_.note_served(lane, bytes);
        break;
      case Sent::none:
        waiting = delivery::LaneTurn::without(waiting, lane);
        break;
      case Sent::link_full:
        return false;
    }
  }
  return true;
}

// The next batch of a lane, from the stream whose turn it is; a turn lasts for some batches, so
// that streams which may not send are not asked each time.
Session::Sent Session::send_unit(std::size_t lane, std::uint64_t& bytes) {
  Active& active = active_[lane];
  for (std::size_t passed = 0; passed < active.streams.size();) {
    if (active.next >= active.streams.size()) active.next = 0;
    Stream& stream = *active.streams[active.next];
    while (!stream.has_unsent() && seal_head(stream, active.is_held)) {
    }
    const Sent sent = stream.has_unsent() ? send_head(stream, bytes) : Sent::none;
    if (sent == Sent::link_full) return sent;
    active.turn_bytes += bytes;
    const bool is_idle = !stream.has_unsent() && stream.staged.is_empty();
    if (is_idle) {
      stream.is_listed = false;
      active.streams[active.next] = active.streams.back();
      active.streams.pop_back();
    } else if (sent == Sent::none || active.turn_bytes >= turn_bytes_max) {
      ++active.next;
      ++passed;
    }
    if (is_idle || sent == Sent::none || active.turn_bytes >= turn_bytes_max) active.turn_bytes = 0;
    if (sent == Sent::one) return sent;
  }
  return Sent::none;
}

// The oldest unsent batch of a stream, if link and publication have room for it. What is retained
// for a new node goes first.
Session::Sent Session::send_head(Stream& stream, std::uint64_t& sent_bytes) {
  if (stream.has_restored()) return send_restored(stream, sent_bytes);
  SealedBatch& batch = stream.sealed.at(stream.sealed.count() - stream.unsent);
  // The node may have it: that is known with the first Credit on a link.
  const bool may_expire = !batch.is_void && !batch.is_chunk && !stream.awaits_position;
  if (may_expire && is_over(batch.expires_at)) expire(stream, batch);
  const std::size_t bytes = batch.bytes.bytes();
  if (!stream.is_advertised || !flow_->has_room(stream.lane, bytes, load_)) return Sent::none;
  if (!batch.is_counted && !count_again(stream, batch)) return Sent::none;
  const Sent sent = send_sealed(stream, batch);
  if (sent == Sent::one) sent_bytes = bytes;
  return sent;
}

// Puts it into a frame of its own, or into the one under construction.
Session::Sent Session::send_sealed(Stream& stream, SealedBatch& batch) {
  const std::size_t bytes = batch.bytes.bytes();
  if (bytes >= in_place_bytes_min) {
    if (builder_.record_count() > 0 && !flush_frame()) return Sent::link_full;
    if (!(batch.block ? send_in_place(stream, batch) : send_copy(stream, batch)))
      return Sent::link_full;
  } else {
    const bool is_full =
        !builder_.has_room(2, 0) ||
        (builder_.record_count() > 0 && builder_.head_bytes() + bytes > frame_bytes_target);
    if (is_full && !flush_frame()) return Sent::link_full;
    add_inline(stream, batch);
  }
  return Sent::one;
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
  stream.note_framed(batch);
}

// HOT: whoever steps, once a big batch. Head and record go directly in front of it: no copy.
bool Session::send_in_place(Stream& stream, SealedBatch& batch) {
  load_ = {};
  load_.add(stream.lane, static_cast<std::uint32_t>(batch.bytes.bytes()));
  const wire::FrameHead head = stamped_head(true);
  const std::size_t start =
      wire::write_frame_in_place(batch.block.span(), batch.offset, head, record_of(stream, batch));
  const std::size_t end = batch.offset + batch.bytes.bytes();
  mem::Buffer part = batch.block.slice(start, end - start);
  // The head is written once: a later link copies the batch.
  batch.block.reset();
  batch.is_sent = true;
  stream.note_framed(batch);
  return send_frame(std::move(part));
}

// A batch that was framed in place before goes out in a copy of its own: its block may still be
// read by the link that was lost.
bool Session::send_copy(Stream& stream, SealedBatch& batch) {
  const std::size_t bytes = batch.bytes.bytes();
  mem::Buffer part = parts_.pool.try_acquire(wire::in_place_headroom + bytes);
  if (!part) return false;
  std::memcpy(part.data() + wire::in_place_headroom, batch.bytes.data(), bytes);
  load_ = {};
  load_.add(stream.lane, static_cast<std::uint32_t>(bytes));
  const wire::FrameHead head = stamped_head(true);
  const std::size_t start = wire::write_frame_in_place(part.span(), wire::in_place_headroom, head,
                                                       record_of(stream, batch));
  part.narrow(start, part.bytes() - start);
  if (stream.row != nullptr) stream.row->add(PublicationCounter::resent);
  stream.note_framed(batch);
  return send_frame(std::move(part));
}

// Sends the frame under construction, or an acknowledgement alone.
bool Session::flush_frame() {
  mem::Buffer part = parts_.pool.try_acquire(builder_.head_bytes());
  if (!part) {
    part = std::move(reserve_);
    part.narrow(0, builder_.head_bytes());
  }
  builder_.finish(stamped_head(builder_.record_count() > 0), part.span());
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
