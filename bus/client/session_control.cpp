#include <algorithm>
#include <utility>

#include "bus/client/session.hpp"

// Control items going out: registrations and questions. They ride on the frame that leaves
// anyway where there is one.

namespace abuzz::client {

namespace {

constexpr std::size_t registrations_per_frame = 200;

void add_group(const SubscribeOptions& options, wire::Subscribe& item) {
  item.group = options.group;
  item.group_mode = static_cast<std::uint8_t>(options.group_mode);
  item.ack_ms =
      options.ack == AckMode::manual ? static_cast<std::uint32_t>(options.ack_timeout.count()) : 0;
  item.attempts_max = options.attempts_max;
}

}  // namespace

void Session::collect_control(base::Nanos now) {
  if (registrations_changed_) collect_registrations();
  collect_questions(now);
  if (is_leaving_ && now >= last_word_at_) settle_now_ = true;
  // Before the settles, which cover what these are about.
  if (collect_lease_words()) collect_settles(now);
  if (is_leaving_ && !said_goodbye_) collect_goodbye(now);
  wire::RequestAct act;
  while (request_mail_ != nullptr && request_mail_->outgoing_acts.pop(&act, 1) == 1)
    control_.add(act);
  add_control();
}

// What is to be said, as a record of the frame under construction.
void Session::add_control() {
  if (control_.is_empty() || !builder_.has_room(1, 0)) return;
  wire::Record record;
  record.kind = wire::RecordKind::control;
  record.lane = wire::Lane::control;
  builder_.add_inline(record, control_.finish());
  load_.add(wire::Lane::control, 0);
}

// First that it will leave, if there is something left to do, then that it does: so the node knows
// what was handled, also where not everything was accepted in time.
void Session::collect_goodbye(base::Nanos now) {
  said_goodbye_ = is_all_settled() || now >= last_word_at_;
  if (said_goodbye_) {
    control_.set(wire::Goodbye{0, 0});
  } else if (!told_leaving_) {
    told_leaving_ = true;
    const base::Nanos left = std::clamp<base::Nanos>(leave_until_ - now, 0, base::second * 3600);
    control_.set(wire::Goodbye{0, static_cast<std::uint32_t>(left / base::millisecond) + 1});
  }
}

void Session::collect_registrations() {
  registrations_changed_ = false;
  std::size_t added = 0;
  for (auto& slot : streams_) {
    if (!slot) continue;
    Stream& stream = *slot;
    if (added == registrations_per_frame) {
      registrations_changed_ = true;
      settle_now_ = true;
      break;
    }
    if (stream.needs_advertise &&
        !(stream.is_withdrawing && stream.staged.is_empty() && stream.sealed.is_empty())) {
      stream.needs_advertise = false;
      stream.is_advertised = true;
      const std::uint64_t base =
          stream.sealed.is_empty() ? stream.last_seq : stream.sealed.front().first_seq - 1;
      control_.add(wire::Advertise{stream.handle, stream.publisher_id, stream.publisher_epoch,
                                   stream.topic, base, stream.returns, stream.lossless_count,
                                   stream.lane, stream.retain_messages});
      ++added;
    }
    const bool is_done = stream.is_withdrawing && stream.staged.is_empty() &&
                         stream.sealed.is_empty() && !stream.is_listed;
    if (!is_done) continue;
    if (stream.is_advertised) control_.add(wire::Withdraw{stream.handle});
    parts_.stats.remove_row(stream.row);
    if (stream.is_asking) std::erase(asking_, &stream);
    if (stream.retained) {
      forget_retained(stream);
      retained_.leave(*stream.retained->topic);
    }
    slot.reset();
    --stream_count_;
    changed();
  }
  for (auto& subscription : subscriptions_) {
    if (!subscription) continue;
    if (subscription->needs_unsubscribe && !subscription->resumes) {
      control_.add(wire::Unsubscribe{subscription->handle});
      continue;
    }
    if (!subscription->needs_subscribe) continue;
    if (added == registrations_per_frame) {
      registrations_changed_ = settle_now_ = true;
      continue;
    }
    subscription->needs_subscribe = false;
    ++added;
    control_.add(subscribe_of(*subscription));
  }
}

std::uint64_t Session::window_of(const SubscribeOptions& options) noexcept {
  switch (options.policy) {
    case Policy::lossless:
      break;
    case Policy::drop_new:
    case Policy::drop_old:
      return options.queue_messages;
    case Policy::latest:
      return options.latest_messages;
  }
  return 16'384;
}

wire::Subscribe Session::subscribe_of(const SubscriptionCore& subscription) const {
  wire::Subscribe item;
  item.subscription = subscription.handle;
  item.pattern = subscription.pattern;
  item.policy = static_cast<std::uint8_t>(subscription.options.policy);
  item.bound_messages = subscription.options.queue_messages;
  item.bound_bytes = subscription.options.queue_bytes;
  // What was sent cannot be dropped, or replaced by what is newer: little of it is under way. Of
  // who drops nothing the bound holds both.
  item.window_messages = window_of(subscription.options);
  item.window_bytes = 2 * base::mib + (parts_.config.limits.payload_bytes_max > base::mib
                                           ? 2 * parts_.config.limits.payload_bytes_max
                                           : 0);
  item.stall_ms = static_cast<std::uint32_t>(subscription.options.stall_limit.count());
  item.resumes = subscription.resumes;
  for (std::size_t lane = 0; lane < wire::data_lanes; ++lane)
    item.resume_received[lane] = subscription.lines[lane].received_no;
  item.latest = subscription.options.latest_messages;
  item.returns = subscription.returns;
  if (subscription.is_member()) {
    add_group(subscription.options, item);
  } else if (subscription.asks_last_value) {
    item.retained = wire::Retained::last_value;
    item.key = subscription.asked_key;
  } else if (subscription.options.retained) {
    item.retained = wire::Retained::then_live;
  }
  return item;
}

void Session::ask_outcomes(Stream& stream, std::uint64_t seq) {
  stream.flush_to = std::max(stream.flush_to, seq);
  if (stream.has_question()) list_question(stream);
}

void Session::list_question(Stream& stream) {
  if (std::exchange(stream.is_asking, true)) return;
  asking_.push_back(&stream);
}

// Asks for outcomes, and confirms receipts. Each stream stays listed until it is asked for all:
// what is not sealed yet has no sequences to ask for.
void Session::collect_questions(base::Nanos now) {
  if (asking_.empty()) return;
  // What arrived is confirmed with what goes anyway, or with the settles.
  const bool is_due = settle_now_ || builder_.record_count() > 0 || !control_.is_empty() ||
                      (settle_at_ != 0 && now >= settle_at_);
  std::erase_if(asking_, [&](Stream* stream) {
    // What one record has no room for follows with the next frame.
    const bool is_full = control_.bytes_estimate() >= wire::control_bytes_max;
    settle_now_ = settle_now_ || is_full;
    if (!is_full) add_question(*stream, is_due);
    stream->is_asking = stream->has_question();
    return !stream->is_asking;
  });
}

void Session::add_question(Stream& stream, bool is_due) {
  if (!stream.is_advertised) return;
  const std::uint64_t target = std::min(stream.flush_to, stream.last_seq);
  const bool asks = target > stream.flush_told;
  // Before the node has answered on this link, the receipts' numbers may be those of another one.
  const bool confirms = stream.receipts_seen != stream.receipts_told && !stream.awaits_position;
  if (!asks && !(is_due && confirms)) return;
  if (asks) stream.flush_told = target;
  if (confirms) stream.receipts_told = stream.receipts_seen;
  control_.add(wire::FlushAsk{stream.handle, asks ? target : 0, stream.receipts_told});
}

}  // namespace abuzz::client
