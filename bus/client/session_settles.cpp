#include <algorithm>

#include "bus/client/session.hpp"
#include "bus/topic.hpp"

// Control items going out: what was handled, what was refused, and words about leased messages.

namespace abuzz::client {

namespace {

// How long a settle may wait for a frame that carries it along.
constexpr base::Nanos settle_delay = 2 * base::millisecond;
constexpr std::uint64_t settle_messages = 4096;  // so many need not wait
// A member of a group gets more when it says what it has done.
constexpr std::uint64_t settle_messages_member = 64;
constexpr std::size_t verdicts_per_frame = 512;
constexpr std::size_t refusals_max = 4096;   // more are not on their way
constexpr std::size_t lease_words_due = 32;  // so many need not wait

bool is_news(const wire::Settle& settle, const wire::Settle& told) noexcept {
  return settle.done_no != told.done_no || settle.received_no != told.received_no ||
         settle.consumed_bytes != told.consumed_bytes;
}

}  // namespace

// How far it is on a lane; what it consumed is of all of them.
wire::Settle Session::settle_of(const SubscriptionCore& subscription,
                                std::size_t lane) const noexcept {
  wire::Settle settle;
  settle.subscription = subscription.handle;
  settle.lane = wire::lane_at(lane);
  settle.received_no = subscription.lines[lane].received_no;
  if (subscription.counted_generation.read() == subscription.generation) {
    settle.done_no = subscription.done_no[lane].read();
    settle.consumed_messages = subscription.consumed_messages.read();
    settle.consumed_bytes = subscription.consumed_bytes.read();
  }
  return settle;
}

bool Session::is_settle_due(const SubscriptionCore& subscription, const wire::Settle& settle,
                            const wire::Settle& told) const noexcept {
  if (subscription.is_member()) {
    // What it has is all handled, and it could have more.
    const SubscriptionCore::Line& line = subscription.lines[wire::lane_index(settle.lane)];
    return settle.done_no == line.last_delivery ||
           settle.consumed_messages - told.consumed_messages >= settle_messages_member;
  }
  // A queue of a few messages is full again at once, and its publishers wait for this.
  const std::uint64_t share = std::max<std::uint64_t>(subscription.options.queue_messages / 4, 1);
  return settle.consumed_messages - told.consumed_messages >= std::min(share, settle_messages) ||
         settle.consumed_bytes - told.consumed_bytes >= 512 * base::kib;
}

// Before the settles that cover them. True when all are told. What was delivered by a node that is
// lost, or to a subscription that is, concerns nobody now.
bool Session::collect_verdicts() {
  Refusal refused;
  while (verdicts_->pop(&refused, 1) == 1) {
    if (refusals_.count() == refusals_max) refusals_.pop_front();
    refusals_.push_back(std::move(refused));
    refusals_untold_ = std::min(refusals_untold_ + 1, refusals_.count());
    settle_now_ = true;
  }
  for (std::size_t added = 0; refusals_untold_ > 0; --refusals_untold_) {
    const Refusal& next = refusals_.at(refusals_.count() - refusals_untold_);
    const SubscriptionCore* subscription = find_subscription(next.verdict.subscription);
    if (subscription == nullptr || subscription->serial != next.serial ||
        subscription->generation != next.generation)
      continue;
    if (++added > verdicts_per_frame) return false;
    control_.add(next.verdict);
  }
  return true;
}

void Session::collect_settles(base::Nanos now) {
  collect_departed();
  parts_.executor.queue().spill();
  if (!collect_verdicts()) return;
  bool has_news = false;
  bool is_due = settle_now_ || builder_.record_count() > 0 || !control_.is_empty() ||
                flow_->is_ack_due() || (settle_at_ != 0 && now >= settle_at_);
  for (SubscriptionCore* subscription : unsettled_) {
    if (subscription->queue) subscription->queue->spill();
    for (std::size_t lane = 0; lane < wire::data_lanes; ++lane) {
      if ((subscription->lanes_used >> lane & 1) == 0) continue;
      const wire::Settle settle = settle_of(*subscription, lane);
      const wire::Settle& told = subscription->lines[lane].told;
      if (!is_news(settle, told)) continue;
      has_news = true;
      is_due = is_due || is_settle_due(*subscription, settle, told);
    }
  }
  if (!is_due) {
    if (has_news && settle_at_ == 0) settle_at_ = now + settle_delay;
    return;
  }
  settle_now_ = false;
  settle_at_ = 0;
  for (std::size_t index = 0; index < unsettled_.size();) {
    SubscriptionCore& subscription = *unsettled_[index];
    if (tell_settles(subscription)) {
      subscription.is_unsettled = false;
      unsettled_[index] = unsettled_.back();
      unsettled_.pop_back();
    } else {
      ++index;
    }
  }
  // What was refused since, and is in what was read above.
  (void)collect_verdicts();
}

// A reply was begun on a stream that the node has not met, so that its first word is not there yet.
bool Session::has_mute_reply() const noexcept {
  return std::any_of(streams_.begin(), streams_.end(), [](const auto& stream) {
    return stream && stream->news->state.hint() == StreamState::advertising &&
           is_reply_topic(stream->topic);
  });
}

// Adds what is new of each lane. True when all that arrived is handled and told. Who has taken a
// request says so after its first word to the requester: should it die in between, the node still
// knows that the request was in hand, and tells.
bool Session::tell_settles(SubscriptionCore& subscription) {
  if (subscription.is_of_responders && !is_leaving_ && has_mute_reply()) return false;
  const bool is_known =
      subscription.state.hint() == SubscriptionState::live || subscription.needs_unsubscribe;
  bool is_over = true;
  for (std::size_t lane = 0; lane < wire::data_lanes; ++lane) {
    if ((subscription.lanes_used >> lane & 1) == 0) continue;
    SubscriptionCore::Line& line = subscription.lines[lane];
    // Before the numbers are read: a chunk and an abort have no delivery number, but they give
    // credit back when they are begun.
    const bool are_begun = subscription.begun_no[lane].read() == line.received_no &&
                           subscription.counted_generation.read() == subscription.generation;
    const wire::Settle settle = settle_of(subscription, lane);
    if (is_news(settle, line.told) && !subscription.needs_subscribe && is_known) {
      control_.add(settle);
      line.told = settle;
    }
    is_over = is_over && are_begun && settle.done_no == line.last_delivery &&
              settle.received_no == line.told.received_no;
  }
  return is_over;
}

bool Session::add_lease_act(SubscriptionCore& subscription, std::uint32_t generation,
                            const wire::LeaseAct& act) {
  if (subscription.generation != generation || subscription.state.hint() != SubscriptionState::live)
    return false;
  wire::LeaseAct word = act;
  word.subscription = subscription.handle;
  subscription.lease_words.add(word);
  list_words(subscription);
  // Acknowledgements may share a frame; what others wait for may not.
  if (act.kind != wire::LeaseWord::ack || subscription.lease_words.waiting() >= lease_words_due)
    settle_now_ = true;
  if (settle_at_ == 0) settle_at_ = now_ + settle_delay;
  return true;
}

void Session::list_words(SubscriptionCore& subscription) {
  if (subscription.has_words || subscription.lease_words.is_empty()) return;
  subscription.has_words = true;
  wordy_.push_back(&subscription);
}

// False when the control record is full.
bool Session::collect_lease_words() {
  if (wordy_.empty()) return true;
  if (!settle_now_ && builder_.record_count() == 0 && control_.is_empty() && now_ < settle_at_)
    return true;
  bool is_full = false;
  std::erase_if(wordy_, [&](SubscriptionCore* subscription) {
    if (subscription->needs_subscribe) return false;
    subscription->lease_words.tell_all([&](const wire::LeaseAct& act) {
      is_full = control_.bytes_estimate() >= wire::control_bytes_max;
      if (!is_full) control_.add(act);
      return !is_full;
    });
    subscription->has_words = !subscription->lease_words.is_empty();
    return !subscription->has_words;
  });
  return !is_full;
}

// Frees subscriptions that ended, and their counters, once no delivery names them and their owners
// have let go.
void Session::collect_departed() {
  if (departed_.empty()) return;
  std::erase_if(departed_, [&](const Departed& item) {
    const bool is_unnamed = item.subscription->queue || parts_.executor.has_finished(item.pushed);
    if (!is_unnamed || item.subscription.use_count() > 1) return false;
    parts_.stats.remove_row(item.subscription->row());
    return true;
  });
}

// Before goodbye: everything accepted, everything handled told.
bool Session::is_all_settled() const noexcept {
  if (unsent_.part_count > 0) return false;
  for (const auto& stream : streams_) {
    if (!stream) continue;
    const StreamState now = stream->news->state.hint();
    if (now == StreamState::refused) continue;
    if (!stream->is_accepted()) return false;
  }
  return true;
}

}  // namespace abuzz::client
