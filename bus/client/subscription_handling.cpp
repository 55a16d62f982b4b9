#include "bus/client/subscription_core.hpp"

#include <algorithm>

// Messages of a delivery that was begun: handed to handlers, and settled.

namespace abuzz::client {

// What all messages of a delivery have in common.
MessageView::Fields SubscriptionCore::fields_of(const Delivery& facts, const wire::BatchView& view,
                                                const mem::Buffer& whole) const noexcept {
  const wire::Envelope& envelope = view.envelope();
  MessageView::Fields fields;
  fields.topic = view.topic();
  fields.agent_id = envelope.agent_id;
  fields.publisher_id = envelope.publisher_id;
  fields.lane = envelope.lane;
  fields.send_time_ns = envelope.send_time_ns;
  fields.is_retained = facts.is_retained;
  fields.buffer = whole ? &whole : &view.buffer();
  fields.attempt = facts.attempt;
  fields.may_repeat = facts.may_repeat;
  if (lease_desk)
    fields.place = {lease_desk.get(), 0,
                    base::moment_after(facts.received_at, lease_desk->timeout()), facts.generation,
                    facts.lane};
  return fields;
}

namespace {

// And what each has of its own.
inline void fill_in(MessageView::Fields& fields, const Delivery& facts, const wire::BatchView& view,
                    const mem::Buffer& whole, std::uint32_t index) noexcept {
  const wire::MessageEntry entry = view.entry(index);
  fields.payload = whole ? std::span<const std::byte>(whole.span()) : view.payload(entry);
  fields.sequence = view.envelope().first_seq + index;
  fields.key = entry.key;
  fields.correlation = entry.correlation;
  fields.kind = static_cast<MessageKind>(entry.flags >> wire::message_kind_shift);
  fields.place.delivery = facts.first_delivery + (whole ? 0 : index - facts.first);
}

}  // namespace

std::size_t SubscriptionCore::handle_some(const Handler& given, std::size_t max) {
  if (is_expired() && refuse_rest()) return 0;
  std::size_t handled = 0;
  MessageView message(fields_of(current_, view_, whole_));
  // HOT: executor or polling thread
  while (next_ < end_ && handled < max && !is_closing.hint()) {
    fill_in(message.fields(), current_, view_, whole_, next_);
    ++next_;
    ++handled;
    given(message);
  }
  row_->add(SubscriptionCounter::finished, handled);
  if (lease_desk) lease_desk->flush();
  if (next_ == end_) {
    finish();
  } else {
    note_handled();
  }
  return handled;
}

void SubscriptionCore::note_handled() noexcept {
  if (current_.count == 0) return;
  const std::uint32_t handled = whole_ ? next_ : next_ - current_.first;
  if (handled > 0 && !is_of_earlier())
    set_done(current_.lane, current_.first_delivery + handled - 1);
}

void SubscriptionCore::finish() noexcept {
  if (is_shared()) return;  // others settle it
  if (is_of_earlier()) {
    row_->add(SubscriptionCounter::done_before, current_.count);
  } else if (current_.count > 0) {
    set_done(current_.lane, current_.first_delivery + current_.count - 1);
  }
  leave_batch();
}

// The counter first: it is never behind what the node is told. It is of all lanes.
void SubscriptionCore::set_done(Lane lane, std::uint64_t number) noexcept {
  auto& done = done_no[wire::lane_index(lane)];
  row_->add(SubscriptionCounter::done_no, number - done.hint());
  done.publish(number);
}

void SubscriptionCore::leave_batch() noexcept {
  view_ = {};
  whole_.reset();
  current_ = {};
  next_ = end_ = 0;
}

void SubscriptionCore::abandon() {
  if (!has_messages()) return;
  note_handled();
  leave_batch();
}

SubscriptionCore::Begun SubscriptionCore::take_begun() noexcept {
  Begun begun;
  if (current_.count > 0) {
    begun = {std::move(current_), std::move(view_), std::move(whole_), next_, end_, charge_};
  }
  leave_batch();
  return begun;
}

void SubscriptionCore::settle_some(const Begun& begun, std::uint32_t handled) noexcept {
  const std::uint32_t passed = begun.whole ? 0 : begun.next - begun.facts.first;
  if (passed + handled == 0 || begun.facts.generation != counted_generation.hint()) return;
  set_done(begun.facts.lane, begun.facts.first_delivery + passed + handled - 1);
}

void SubscriptionCore::settle_all(const Begun& begun, std::uint32_t handled) noexcept {
  row_->add(SubscriptionCounter::finished, handled);
  if (begun.facts.generation != counted_generation.hint()) {
    row_->add(SubscriptionCounter::done_before, begun.facts.count);
    return;
  }
  give_back(begun.facts.count, begun.charge);
  set_done(begun.facts.lane, begun.facts.first_delivery + begun.facts.count - 1);
}

bool SubscriptionCore::refuse_from(const Begun& begun, std::uint32_t from) {
  if (verdicts != nullptr && !verdicts->has_room()) return false;
  const std::uint32_t count = begun.end - from;
  const std::uint32_t passed = begun.whole ? 0 : from - begun.facts.first;
  refuse(begun.facts, begun.facts.first_delivery + passed, count, Error::expired);
  return true;
}

MessageView SubscriptionCore::view_of(const Begun& begun, std::uint32_t index) const noexcept {
  MessageView message(fields_of(begun.facts, begun.view, begun.whole));
  fill_in(message.fields(), begun.facts, begun.view, begun.whole, index);
  return message;
}

// Of a delivery that was begun and outlived its time in the middle: a polling thread took its time.
// False where it cannot be told now: then the rest is handed out.
bool SubscriptionCore::refuse_rest() {
  if (verdicts != nullptr && !verdicts->has_room()) return false;
  const std::uint32_t handled = whole_ ? next_ : next_ - current_.first;
  refuse(current_, current_.first_delivery + handled, end_ - next_, Error::expired);
  finish();
  return true;
}

}  // namespace abuzz::client
