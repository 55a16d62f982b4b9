#include "bus/client/subscription_core.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

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

// Streams that a subscription remembers for recognising repeats; the longest unused are forgotten.
constexpr std::size_t streams_max = 8192;

}  // namespace

SubscriptionCore::SubscriptionCore(std::string given_pattern, const SubscribeOptions& given_options,
                                   Handlers given, base::Clock& clock, mem::Pool& pool,
                                   const wire::VerifyLimits& limits, StatsRow* row)
    : pattern(std::move(given_pattern)),
      options(given_options),
      handler(std::move(given.one)),
      batch_handler(std::move(given.many)),
      clock_(clock),
      pool_(pool),
      limits_(limits),
      row_(row) {
  if (is_polled() || is_shared()) queue = std::make_unique<LaneQueues>();
}

SubscriptionCore::StreamMemory& SubscriptionCore::remember(const wire::Envelope& envelope) {
  const StreamKey key{envelope.agent_id, envelope.publisher_id, envelope.publisher_epoch};
  auto [found, is_new] = streams_.try_emplace(key);
  if (is_new) {
    found->second.last_seq = found->second.live_seq = envelope.first_seq + current_.first - 1;
    found->second.run_seq = found->second.last_seq + 1;
    if (streams_.size() > streams_max) {
      const std::uint64_t horizon =
          deliveries_ > streams_max / 2 ? deliveries_ - streams_max / 2 : 0;
      std::erase_if(streams_, [&](const auto& item) {
        return item.second.used_at < horizon && !item.second.train && item.first != key;
      });
      return streams_[key];
    }
  }
  found->second.used_at = deliveries_;
  return found->second;
}

// Counters start over with each registration at a node.
void SubscriptionCore::take_generation(const Delivery& delivery) noexcept {
  // One of an earlier registration may have waited behind a higher lane: it is handled, and counts
  // for nobody now.
  if (delivery.generation <= counted_generation.hint()) return;
  row_->add(SubscriptionCounter::done_before, row_->get(SubscriptionCounter::done_no));
  row_->set(SubscriptionCounter::done_no, 0);
  for (auto& number : done_no) number.publish(0);
  for (auto& number : begun_no) number.publish(0);
  consumed_messages.publish(0);
  consumed_bytes.publish(0);
  counted_generation.publish(delivery.generation);
}

bool SubscriptionCore::is_of_earlier() const noexcept {
  return current_.generation != counted_generation.hint();
}

void SubscriptionCore::consume(std::uint64_t messages, std::uint64_t bytes) noexcept {
  if (is_shared()) {
    charge_ = bytes;  // given back when it is handled
  } else if (!is_of_earlier()) {
    give_back(messages, bytes);
  }
}

void SubscriptionCore::give_back(std::uint64_t messages, std::uint64_t bytes) noexcept {
  consumed_messages.publish(consumed_messages.hint() + messages);
  consumed_bytes.publish(consumed_bytes.hint() + bytes);
}

// The slice of an abort names the stream whose chunk train will not be complete.
void SubscriptionCore::end_train(const Delivery& delivery) {
  wire::AbortKey key;
  if (delivery.slice.bytes() != sizeof(key)) return;
  std::memcpy(&key, delivery.slice.data(), sizeof(key));
  const auto found = streams_.find({key.agent_id, key.publisher_id, key.publisher_epoch});
  if (found != streams_.end()) drop_train(found->second);
}

bool SubscriptionCore::begin(Delivery& delivery) {
  const std::uint32_t registration = delivery.generation;
  auto& begun = begun_no[wire::lane_index(delivery.lane)];
  if (!open(delivery)) return false;
  if (registration == counted_generation.hint()) begun.publish(begun.hint() + 1);
  return true;
}

bool SubscriptionCore::open(Delivery& delivery) {
  next_ = end_ = 0;
  charge_ = 0;
  // It may have to be refused, and that must be told before the next Settle.
  if (verdicts != nullptr && !verdicts->has_room()) return false;
  ++deliveries_;
  take_generation(delivery);
  if (delivery.aborts) {
    end_train(delivery);
    delivery = {};
    current_ = {};
    return true;
  }
  wire::BatchHead head;
  const bool has_head = wire::BatchHead::parse(delivery.slice.span(), head) == wire::Reject::none;
  const std::uint64_t charge = has_head ? wire::charged_bytes(head.envelope, delivery.count) : 0;
  const wire::Reject reason = wire::verify(delivery.slice.share(), pool_, limits_, view_);
  if (reason == wire::Reject::no_buffer) return false;
  current_.first = delivery.first;
  if (reason == wire::Reject::none && (view_.envelope().flags & wire::batch_chunk) != 0 &&
      view_.envelope().chunk_index == 0 && !begin_train(remember(view_.envelope()))) {
    view_ = {};
    return false;
  }
  current_ = std::move(delivery);
  current_.slice.reset();
  if (!has_head || reason != wire::Reject::none) {
    reject(current_, charge, Error::bad_batch);
    return true;
  }
  row_->add(SubscriptionCounter::batches);
  StreamMemory& stream = remember(view_.envelope());
  if ((view_.envelope().flags & wire::batch_chunk) != 0) {
    if (!begin_chunk(stream)) return true;
  } else {
    if (is_expired()) {
      reject(current_, charge, Error::expired);
      return true;
    }
    consume(current_.count, charge);
    begin_batch(stream);
  }
  if (next_ == end_) finish();
  return true;
}

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

// Selects the messages that are new.
void SubscriptionCore::begin_batch(StreamMemory& stream) {
  const std::uint64_t first_seq = view_.envelope().first_seq + current_.first;
  next_ = current_.first;
  end_ = std::min(current_.first + current_.count, view_.count());
  if (is_member()) {  // in no order, and once more when an attempt failed
    row_->add(SubscriptionCounter::received, end_ - next_);
    return;
  }
  while (next_ < end_ && view_.envelope().first_seq + next_ <= stream.last_seq) ++next_;
  pass_over(stream, first_seq, next_ - current_.first);
  if (next_ < end_) note_taken(stream, first_seq, view_.envelope().first_seq + end_ - 1);
  row_->add(SubscriptionCounter::received, end_ - next_);
}

// Messages of a batch are new. What is missing in front of it is a gap, but not in front of what
// was retained: there a sequence has holes. Where only such came before, nothing is known to be
// missing.
void SubscriptionCore::note_taken(StreamMemory& stream, std::uint64_t first_seq,
                                  std::uint64_t last_seq) {
  if (first_seq > stream.last_seq + 1) stream.run_seq = first_seq;
  if (current_.is_retained) {
    stream.retained += last_seq - std::max(first_seq, stream.last_seq + 1) + 1;
    stream.last_seq = last_seq;
    return;
  }
  const std::uint64_t had = stream.live_seq + stream.retained;
  if (!is_member() && stream.is_live && first_seq > had + 1)
    row_->add(SubscriptionCounter::gap, first_seq - had - 1);
  stream.is_live = true;
  stream.last_seq = stream.live_seq = last_seq;
  stream.retained = 0;
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

// The first ones of the batch come again, or come too late. Of what stands before a gap nobody
// knows here whether it was handed over: that is told.
void SubscriptionCore::pass_over(const StreamMemory& stream, std::uint64_t first_seq,
                                 std::uint32_t count) {
  if (count == 0) return;
  row_->add(SubscriptionCounter::duplicate, count);
  if (first_seq >= stream.run_seq) return;
  tell(wire::verdict_passed_over, current_.first_delivery,
       std::min<std::uint64_t>(stream.run_seq - first_seq, count));
}

void SubscriptionCore::drop_train(StreamMemory& stream) {
  if (stream.train_charge > 0 && stream.train_generation == counted_generation.hint())
    give_back(0, stream.train_charge);
  stream.train.reset();
  stream.train_charge = 0;
}

bool SubscriptionCore::is_expired() const {
  return current_.expires_at != 0 && clock_.now() >= current_.expires_at;
}

// A batch that cannot be used is counted, told to the node, and its credit returned.
void SubscriptionCore::reject(const Delivery& delivery, std::uint64_t charge, Error reason) {
  if (reason != Error::expired) row_->add(SubscriptionCounter::corrupt);
  refuse(delivery, delivery.first_delivery, delivery.count, reason);
  consume(delivery.count, charge);
  view_ = {};
  finish();
}

void SubscriptionCore::refuse(const Delivery& facts, std::uint64_t first_delivery,
                              std::uint32_t count, Error reason) {
  if (reason == Error::expired) row_->add(SubscriptionCounter::dropped_expired, count);
  row_->add(SubscriptionCounter::refused, count);
  tell(facts, static_cast<std::uint16_t>(reason), first_delivery, count);
}

void SubscriptionCore::tell(const Delivery& facts, std::uint16_t reason,
                            std::uint64_t first_delivery, std::uint64_t count) {
  if (count == 0 || verdicts == nullptr) return;
  Refusal refusal{serial, facts.generation, {}};
  refusal.verdict.subscription = handle;
  refusal.verdict.reason = reason;
  refusal.verdict.lane = facts.lane;
  refusal.verdict.first_delivery = first_delivery;
  refusal.verdict.count = count;
  (void)verdicts->try_push(std::move(refusal));
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

SubscriptionReport SubscriptionCore::report() const noexcept {
  return {row_->get(SubscriptionCounter::received),  row_->get(SubscriptionCounter::finished),
          row_->get(SubscriptionCounter::duplicate), row_->get(SubscriptionCounter::gap),
          row_->get(SubscriptionCounter::corrupt),   row_->get(SubscriptionCounter::batches)};
}

}  // namespace abuzz::client
