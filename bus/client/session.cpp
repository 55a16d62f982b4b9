#include "bus/client/session.hpp"

#include <algorithm>

namespace abuzz::client {

namespace {

// How long before its end an agent that could not settle everything says its last word.
constexpr base::Nanos last_word_span = 50 * base::millisecond;

// Of two deadlines, of which 0 is none; -1 for none.
base::Nanos earlier(base::Nanos one, base::Nanos other) noexcept {
  if (one == 0 || other == 0) return one + other == 0 ? -1 : one + other;
  return std::min(one, other);
}

}  // namespace

Session::Session(Parts parts)
    : parts_(std::move(parts)),
      retained_intake_(retained_, parts_.pool),
      control_scratch_(parts_.config.limits.payload_bytes_max + 64 * base::kib) {
  streams_.reserve(16);
  for (Active& active : active_) active.streams.reserve(64);
  unsettled_.reserve(64);
  wordy_.reserve(64);
  asking_.reserve(64);
}

Session::~Session() = default;

void Session::set_state(SessionState next) noexcept {
  state.publish(next);
  changed();
}

std::size_t Session::step() {
  const base::Nanos now = now_ = parts_.clock.now();
  std::size_t done = 0;
  const SessionState before = state.hint();
  if (before == SessionState::closed) return 0;
  if (before == SessionState::down && now >= retry_at_) try_call(now);
  if (door_ && (check_door_ || door_->wait_descriptor() < 0)) poll_door(now);
  if (link_ && (may_have_input_ || link_->wait_descriptor() < 0)) done += receive(now);
  take_staged();
  if (link_) done += send(now);
  return done;
}

bool Session::has_input() noexcept {
  if (link_ && !may_have_input_) may_have_input_ = link_->has_input();
  return link_ && may_have_input_;
}

base::Nanos Session::next_deadline() const noexcept {
  switch (state.hint()) {
    case SessionState::down:
      return retry_at_;
    case SessionState::greeting:
      return greeting_until_;
    case SessionState::live:
    case SessionState::leaving:
      return earlier(settle_at_, probe_.due_at());
    case SessionState::closed:
      break;
  }
  return -1;
}

Stream& Session::add_stream(std::string topic, const PublisherOptions& options) {
  std::size_t index = 0;
  while (index < streams_.size() && streams_[index]) ++index;
  if (index == streams_.size()) streams_.emplace_back();
  auto stream = std::make_unique<Stream>();
  stream->handle = static_cast<std::uint32_t>(index + 1);
  stream->publisher_id = next_publisher_id_++;
  stream->topic = std::move(topic);
  stream->lane = options.lane;
  stream->retain_messages = options.retain_messages;
  if (stream->retain_messages > 0) begin_retaining(*stream);
  // Shared: the publisher reads it, and may be destroyed after the session.
  stream->news = std::make_shared<StreamNews>(knock_bytes_[wire::lane_index(options.lane)]);
  const std::uint64_t ids[] = {agent_id.hint(), stream->publisher_id, stream->publisher_epoch,
                               stream->handle};
  stream->row = parts_.stats.add_row(RowKind::publication, ids, stream->topic);
  registrations_changed_ = true;
  ++stream_count_;
  streams_[index] = std::move(stream);
  return *streams_[index];
}

bool Session::has_departing_stream() const noexcept {
  return std::any_of(streams_.begin(), streams_.end(),
                     [](const auto& stream) { return stream && stream->is_withdrawing; });
}

bool Session::has_departing_subscription() const noexcept {
  return std::any_of(subscriptions_.begin(), subscriptions_.end(), [](const auto& subscription) {
    return subscription && subscription->needs_unsubscribe;
  });
}

// The publisher is gone; what it handed over is still sent, then the publication is withdrawn.
void Session::close_stream(Stream& stream, StagedIntake::Producer producer) {
  take_staged();
  (void)producer;  // its destruction gives the intake's token back
  if (stream.news->state.hint() == StreamState::refused) {
    // No node takes it; it must not keep its place.
    while (!stream.staged.is_empty()) stream.staged.pop_front();
    stream.drop_sealed();
    unlist(stream);
  }
  stream.news->state.publish(StreamState::closing);
  stream.is_withdrawing = true;
  registrations_changed_ = true;
}

void Session::add_subscription(std::shared_ptr<SubscriptionCore> subscription) {
  std::size_t index = 0;
  while (index < subscriptions_.size() && subscriptions_[index]) ++index;
  if (index == subscriptions_.size()) subscriptions_.emplace_back();
  subscription->handle = static_cast<std::uint32_t>(index + 1);
  subscription->serial = ++last_subscription_serial_;
  subscription->generation = 1;
  if (subscription->handler && !subscription->is_shared()) {
    subscription->verdicts = &executor_verdicts_;
  } else {
    subscription->lend_verdicts(verdicts_);
  }
  registrations_changed_ = true;
  ++subscription_count_;
  subscriptions_[index] = std::move(subscription);
}

void Session::remove_subscription(SubscriptionCore& subscription) {
  if (subscription.state.hint() == SubscriptionState::gone ||
      subscription.state.hint() == SubscriptionState::refused) {
    end_subscription(subscription, SubscriptionState::gone);
    return;
  }
  subscription.state.publish(SubscriptionState::gone);
  subscription.needs_unsubscribe = true;
  registrations_changed_ = true;
  // No node has heard of it. One that has may have it still when the link is lost, and is told on
  // the next one.
  const bool is_untold =
      link_ ? subscription.needs_subscribe && !subscription.resumes : node_epoch.hint() == 0;
  if (is_untold) end_subscription(subscription, SubscriptionState::gone);
}

void Session::leave(base::Nanos until) noexcept {
  is_leaving_ = true;
  leave_until_ = until;
  const base::Nanos left = std::max<base::Nanos>(until - parts_.clock.now(), 0);
  last_word_at_ = until - std::min(left / 4, last_word_span);
  settle_now_ = true;
  if (state.hint() == SessionState::live) set_state(SessionState::leaving);
}

void Session::abandon() {
  link_.reset();
  link_descriptor.publish(-1);
  door_.reset();
  previous_door_.reset();
  door_descriptor.publish(-1);
  unsent_.clear();
  set_state(SessionState::closed);
}

std::uint64_t Session::unhandled_messages() const noexcept {
  std::uint64_t unhandled = 0;
  for (const auto& subscription : subscriptions_) {
    if (!subscription) continue;
    // What the consumer has done counts for the registration that it knows.
    const bool is_known = subscription->counted_generation.read() == subscription->generation;
    for (std::size_t lane = 0; lane < wire::data_lanes; ++lane) {
      const std::uint64_t done = is_known ? subscription->done_no[lane].read() : 0;
      const std::uint64_t last = subscription->lines[lane].last_delivery;
      if (last > done) unhandled += last - done;
    }
  }
  return unhandled;
}

std::uint64_t Session::unaccepted_messages() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& stream : streams_) {
    if (!stream || stream->row == nullptr) continue;
    const std::uint64_t pushed = stream->row->get(PublicationCounter::pushed);
    if (pushed > stream->accepted_seq) sum += pushed - stream->accepted_seq;
  }
  return sum;
}

}  // namespace abuzz::client
