#include <algorithm>
#include <cstring>
#include <utility>

#include "bus/client/session.hpp"
#include "bus/wire/life.hpp"

// Frames from the node: credit and news are taken here, batches go on unopened to who handles them.

namespace abuzz::client {

namespace {

constexpr std::size_t frames_per_step = 32;

}  // namespace

Stream* Session::find_stream(std::uint32_t handle) noexcept {
  return handle == 0 || handle > streams_.size() ? nullptr : streams_[handle - 1].get();
}

SubscriptionCore* Session::find_subscription(std::uint32_t handle) noexcept {
  return handle == 0 || handle > subscriptions_.size() ? nullptr : subscriptions_[handle - 1].get();
}

std::size_t Session::receive(base::Nanos now) {
  std::size_t done = 0;
  while (done < frames_per_step && link_) {
    const link::ReceiveStatus status = link_->try_receive(incoming_);
    if (status == link::ReceiveStatus::closed) {
      lose_link(now);
      break;
    }
    if (status != link::ReceiveStatus::received) {
      may_have_input_ = false;
      break;
    }
    ++done;
    if (!take_frame()) {
      parts_.stats.process().add(ProcessCounter::frames_rejected);
      lose_link(now);
      break;
    }
  }
  incoming_.clear();
  if (std::exchange(node_leaves_, false)) lose_node(now);
  return done;
}

// Whether a frame is of this link and in its turn. Where one is missing the link is given up: on
// the next one everything goes on from where it was.
bool Session::is_in_turn(const wire::FrameHead& head) {
  if (head.session_epoch != session_epoch_) return false;
  if (flow_->misses_some_before(head)) parts_.stats.process().add(ProcessCounter::links_broken);
  if (!flow_->on_frame(head)) return false;
  probe_.on_frame(head);
  return true;
}

// HOT: whoever steps, once a frame.
bool Session::take_frame() {
  std::array<std::span<const std::byte>, link::frame_parts_max> spans;
  for (std::size_t index = 0; index < incoming_.part_count; ++index)
    spans[index] = incoming_.parts[index].span();
  wire::FrameView view;
  const wire::Reject reject =
      wire::FrameView::parse(std::span(spans).first(incoming_.part_count), view);
  if (reject != wire::Reject::none || !is_in_turn(view.head())) return false;
  StatsRow& process = parts_.stats.process();
  process.add(ProcessCounter::frames_in);
  process.add(ProcessCounter::bytes_in, view.frame_bytes());
  delivery::LinkFlow::Load load;
  for (std::size_t index = 0; index < view.record_count(); ++index) {
    wire::Record record = view.record(index);
    wire::age_on_arrival(record, view.head(), link_->traits().same_host, now_);
    if (record.kind == wire::RecordKind::control) {
      if (wire::read_control(view.slice(record), control_scratch_, *this) != wire::Reject::none)
        return false;
      continue;
    }
    load.add(record.lane, record.slice_bytes);
    if (record.kind == wire::RecordKind::void_range) continue;
    if (!take_delivery(view, record)) return false;
  }
  flow_->on_processed(load);
  return true;
}

// HOT: whoever steps, once a batch.
bool Session::take_delivery(const wire::FrameView& view, const wire::Record& record) {
  if (record.part >= incoming_.part_count) return false;
  parts_.stats.process().add(ProcessCounter::batches_in);
  for (std::size_t index = 0; index < record.target_count; ++index) {
    const wire::Target target = view.target(record.target_first + index);
    SubscriptionCore* subscription = find_subscription(target.subscription);
    if (subscription == nullptr || subscription->needs_unsubscribe) continue;
    Delivery delivery;
    delivery.slice = incoming_.parts[record.part].slice(record.slice_offset, record.slice_bytes);
    delivery.subscription = subscription;
    delivery.first_delivery = target.first_delivery;
    delivery.first = target.first;
    delivery.count = target.count;
    delivery.generation = subscription->generation;
    delivery.lane = record.lane;
    delivery.received_at = now_;
    delivery.attempt = record.attempt_or_reason;
    delivery.may_repeat = (record.flags & wire::record_may_repeat) != 0;
    delivery.is_retained = (record.flags & wire::record_retained) != 0;
    delivery.aborts = record.kind == wire::RecordKind::abort;
    delivery.expires_at = wire::expiry_of(record, now_);
    const std::size_t lane = wire::lane_index(record.lane);
    SubscriptionCore::Line& line = subscription->lines[lane];
    subscription->lanes_used |= static_cast<std::uint8_t>(1u << lane);
    ++line.received_no;
    if (delivery.count > 0) line.last_delivery = target.first_delivery + target.count - 1;
    parts_.stats.process().add(ProcessCounter::messages_in, target.count);
    if (!subscription->is_unsettled) {
      subscription->is_unsettled = true;
      unsettled_.push_back(subscription);
    }
    LaneQueues& queue = subscription->queue ? *subscription->queue : parts_.executor.queue();
    queue.push(std::move(delivery));
    if (subscription->is_polled()) changed();
    if (subscription->is_shared()) ++shared_pushed_;
  }
  return true;
}

// A node that has just met this publication counts outcomes from here. It counts again what is sent
// again; what was settled here and has no outcome is unknown. How many of the outcomes that were
// told are of what is sent again, is known where there was one subscription: it handles in order.
// With several, as many as there can be, so that nothing counts as delivered twice.
void Session::begin_outcomes(Stream& stream, std::uint64_t accepted_seq) {
  StreamNews& told = *stream.news;
  Stream::Outcomes& past = stream.past;
  past.delivered = told.delivered.hint();
  past.no_subscriber = told.no_subscriber.hint();
  past.dropped = told.dropped.hint();
  past.unknown = told.unknown.hint() - stream.unknown;
  for (std::size_t reason = 0; reason < drop_reason_count; ++reason)
    past.dropped_by[reason] = told.dropped_by[reason].hint();
  const std::uint64_t known =
      past.delivered + past.no_subscriber + past.dropped + past.unknown + stream.unknown;
  const std::uint64_t open = std::max(stream.accepted_seq, accepted_seq) - accepted_seq;
  std::uint64_t again = known - std::min(known, accepted_seq);
  if (stream.match_max > 1) again = std::max(again, std::min(known, open));
  stream.match_max = 0;
  stream.unknown += accepted_seq - std::min(known - again, accepted_seq);
  const auto take = [](std::uint64_t& term, std::uint64_t& amount) {
    const std::uint64_t taken = std::min(term, amount);
    term -= taken;
    amount -= taken;
    return taken;
  };
  (void)take(past.delivered, again);
  std::uint64_t undropped = take(past.dropped, again);
  for (std::uint64_t& dropped : past.dropped_by) (void)take(dropped, undropped);
  (void)take(past.no_subscriber, again);
  (void)take(past.unknown, again);
  (void)take(stream.unknown, again);
  for (std::size_t reason = 0; reason < drop_reason_count; ++reason)
    told.dropped_by[reason].publish(past.dropped_by[reason]);
  tell_outcomes(stream, {});
  if (stream.row != nullptr) stream.row->set(PublicationCounter::unknown, stream.unknown);
}

// How far the node is: what it has need not be sent, what is settled need not be kept.
void Session::take_positions(Stream& stream, const wire::Credit& item) {
  if (stream.awaits_position || item.accepted_seq > stream.accepted_seq) {
    stream.accepted_seq = item.accepted_seq;
    stream.news->accepted_seq.publish(item.accepted_seq);
  }
  if (stream.awaits_position) {
    stream.awaits_position = false;
    stream.unsent = 0;
    for (std::size_t index = stream.sealed.count();
         index-- > 0 && stream.sealed.at(index).last_seq() > item.accepted_seq;)
      ++stream.unsent;
  }
  while (!stream.sealed.is_empty() && stream.sealed.front().last_seq() <= item.settled_seq) {
    if (stream.unsent == stream.sealed.count()) --stream.unsent;
    if (stream.kept > 0) --stream.kept;
    if (stream.retained) retain(stream, stream.sealed.front());
    stream.sealed.pop_front();
  }
  while (stream.kept < stream.sealed.count() &&
         stream.sealed.at(stream.kept).last_seq() <= stream.accepted_seq)
    keep(stream.sealed.at(stream.kept++));
}

// A batch that waits for its subscribers only gives back the room it was built in.
void Session::keep(SealedBatch& batch) {
  batch.block.reset();
  const std::size_t bytes = batch.bytes.bytes();
  if (batch.is_void || batch.bytes.block_bytes() < 4 * bytes) return;
  mem::Buffer copy = parts_.pool.try_acquire_spare(bytes);
  if (!copy || copy.block_bytes() >= batch.bytes.block_bytes()) return;
  std::memcpy(copy.data(), batch.bytes.data(), bytes);
  batch.bytes = std::move(copy);
}

void Session::on(const wire::Credit& item) {
  Stream* stream = find_stream(item.publication);
  if (stream == nullptr || !stream->is_advertised || item.accepted_seq > stream->last_seq) return;
  // Said until the node has taken something: on each link, the first one counts.
  if ((item.flags & wire::credit_is_fresh) != 0 && stream->awaits_position) {
    begin_outcomes(*stream, item.accepted_seq);
    begin_receipts(*stream, item.accepted_seq);
  }
  stream->was_open = true;
  stream->limit_seq = std::max(stream->limit_seq, item.limit_messages);
  stream->limit_bytes = std::max(stream->limit_bytes, item.limit_bytes);
  if (item.limit_messages > item.accepted_seq) {
    // Nobody is waited for any more. Not before: should this node forget the publication meanwhile,
    // it must hear again whom it has to wait for.
    stream->returns = stream->awaits_returns = false;
    stream->lossless_count = stream->lossless_told;
  }
  take_positions(*stream, item);
  // No frame under construction points at it.
  if (!stream->has_restored() && builder_.record_count() == 0) stream->drop_restored();
  if (stream->needs_restore && stream->restored.is_empty()) restore(*stream);
  StreamNews& told = *stream->news;
  const bool opens = told.state.hint() == StreamState::advertising;
  if (opens) told.state.publish(StreamState::open);
  told.held_by.publish(0);
  // Lowered before the segments are looked at, in this same step.
  if (told.is_held.hint()) told.is_held.publish_fenced(false);
  if (stream->has_unsent() || !stream->staged.is_empty()) list(*stream);
  if (stream->is_withdrawing) registrations_changed_ = true;
  // What is sealed with it is news; it is none itself.
  if (opens || stream->is_accepted()) changed();
}

void Session::tell_outcomes(Stream& stream, const wire::Outcome& item) {
  StreamNews& told = *stream.news;
  told.delivered.publish(stream.past.delivered + item.delivered);
  told.no_subscriber.publish(stream.past.no_subscriber + item.no_subscriber);
  told.dropped.publish(stream.past.dropped + item.dropped);
  told.unknown.publish(stream.past.unknown + stream.unknown + item.unknown);
  if (stream.row == nullptr) return;
  stream.row->set(PublicationCounter::delivered, told.delivered.hint());
  stream.row->set(PublicationCounter::no_subscriber, told.no_subscriber.hint());
  stream.row->set(PublicationCounter::dropped, told.dropped.hint());
}

void Session::on(const wire::Outcome& item) {
  Stream* stream = find_stream(item.publication);
  if (stream == nullptr) return;
  tell_outcomes(*stream, item);
  changed();
}

void Session::on(const wire::Drops& item) {
  Stream* stream = find_stream(item.publication);
  if (stream == nullptr) return;
  const auto reason = static_cast<std::size_t>(item.reason);
  stream->news->dropped_by[reason].publish(stream->past.dropped_by[reason] + item.count);
}

void Session::on(const wire::Interest& item) {
  if (Stream* stream = find_stream(item.publication)) {
    stream->news->match_count.publish(item.match_count);
    stream->match_max = std::max(stream->match_max, item.match_count);
    stream->news->batch_messages_max.publish(item.queue_messages);
    stream->lossless_told = item.lossless_count;
    if (!stream->awaits_returns) stream->lossless_count = item.lossless_count;
  }
  changed();
}

void Session::on(const wire::Advertised& item) {
  Stream* stream = find_stream(item.publication);
  if (stream == nullptr || item.error == 0) return;
  stream->news->error.publish(item.error);
  stream->news->state.publish(StreamState::refused);
  changed();
}

void Session::on(const wire::Subscribed& item) {
  SubscriptionCore* subscription = find_subscription(item.subscription);
  if (subscription == nullptr) return;
  if (subscription->needs_unsubscribe) {
    // Perhaps resumed only to be ended. What the node does not have needs no end.
    if (std::exchange(subscription->resumes, false)) registrations_changed_ = true;
    if (item.error != 0) end_subscription(*subscription, SubscriptionState::gone);
  } else if (item.error == 0) {
    subscription->resumes = subscription->returns = false;
    subscription->state.publish(SubscriptionState::live);
  } else if (item.error == static_cast<std::uint16_t>(Error::stalled_out) &&
             subscription->state.hint() == SubscriptionState::live) {
    subscription->resumes = false;
    subscription->error.publish(item.error);
    subscription->state.publish(SubscriptionState::gone);
  } else if (subscription->resumes) {
    // The node no longer has it: register it afresh.
    subscription->resumes = false;
    subscription->needs_subscribe = true;
    ++subscription->generation;
    subscription->forget_numbers();
    registrations_changed_ = true;
  } else {
    subscription->error.publish(item.error);
    subscription->state.publish(SubscriptionState::refused);
  }
  changed();
}

void Session::on(const wire::Gone& item) {
  SubscriptionCore* subscription = find_subscription(item.subscription);
  if (subscription != nullptr) {
    if (subscription->needs_unsubscribe) {
      end_subscription(*subscription, SubscriptionState::gone);
    } else {
      subscription->error.publish(static_cast<std::uint16_t>(Error::stalled_out));
      subscription->state.publish(SubscriptionState::gone);
    }
  }
  changed();
}

void Session::on(const wire::Held& item) {
  if (Stream* stream = find_stream(item.publication)) stream->news->held_by.publish(item.agent_id);
  changed();
}

void Session::on(const wire::RequestAct& item) {
  if (request_mail_ != nullptr && request_mail_->note(item)) changed();
}

void Session::on(const wire::ReplyEnd& item) {
  if (request_mail_ != nullptr && request_mail_->note(item)) changed();
}

// The node leaves, and this is its last word.
void Session::on(const wire::Goodbye&) {
  node_leaves_ = true;
  changed();
}

// Takes a subscription off the list; it stays alive while a delivery may name it.
void Session::end_subscription(SubscriptionCore& subscription, SubscriptionState next) {
  subscription.state.publish(next);
  if (subscription.is_unsettled) std::erase(unsettled_, &subscription);
  subscription.is_unsettled = false;
  if (subscription.has_words) std::erase(wordy_, &subscription);
  subscription.has_words = false;
  for (auto& slot : subscriptions_) {
    if (slot.get() != &subscription) continue;
    departed_.push_back({std::move(slot), parts_.executor.queue().pushed_by_lane()});
    --subscription_count_;
    break;
  }
}

}  // namespace abuzz::client
