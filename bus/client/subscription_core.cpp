#include "bus/client/subscription_core.hpp"

#include <algorithm>

// Deliveries coming in: what is new of them, and what has to be refused.

namespace abuzz::client {

namespace {

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

SubscriptionReport SubscriptionCore::report() const noexcept {
  return {row_->get(SubscriptionCounter::received),  row_->get(SubscriptionCounter::finished),
          row_->get(SubscriptionCounter::duplicate), row_->get(SubscriptionCounter::gap),
          row_->get(SubscriptionCounter::corrupt),   row_->get(SubscriptionCounter::batches)};
}

}  // namespace abuzz::client
