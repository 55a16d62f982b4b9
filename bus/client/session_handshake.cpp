#include <algorithm>

#include "bus/client/session.hpp"

// Finding a node, being let in, and losing it again.

namespace abuzz::client {

namespace {

constexpr base::Nanos back_off_min = 10 * base::millisecond;
constexpr base::Nanos back_off_max = base::second;

// Refusals that another try cannot change.
bool is_final(std::uint16_t error) noexcept {
  switch (static_cast<Error>(error)) {
    case Error::bad_agent_name:
    case Error::agent_name_taken:
    case Error::version_mismatch:
    case Error::denied:
      return true;
    default:
      return false;
  }
}

// Refusals that another try may change, when somebody else leaves.
bool is_full(std::uint16_t error) noexcept {
  switch (static_cast<Error>(error)) {
    case Error::out_of_memory:
    case Error::descriptors:
    case Error::agents_limit:
    case Error::links_limit:
    case Error::memory_budget:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Session::try_call(base::Nanos now) {
  auto call = parts_.network.call();
  back_off_ = std::clamp(back_off_ * 2, back_off_min, back_off_max);
  retry_at_ = now + back_off_ + static_cast<base::Nanos>(parts_.random.below(5'000'000));
  if (!call.ok()) {
    previous_door_.reset();
    wants_launch.publish(call.error() == Error::no_node);
    if (call.error() != Error::no_node)
      note_refusal(static_cast<std::uint16_t>(call.error()), call.failure().detail);
    changed();
    return;
  }
  wants_launch.publish(false);
  door_ = std::move(call).value();
  wire::DoorHello hello;
  hello.name = parts_.identity.name;
  hello.kind = parts_.identity.kind;
  hello.description = parts_.identity.description;
  hello.pid = parts_.identity.pid;
  hello.start_ticks = parts_.identity.start_ticks;
  hello.agent_id = agent_id.hint();
  hello.token = token_;
  hello.session_epoch = session_epoch_ + 1;
  hello.node_epoch_seen = node_epoch.hint();
  hello.counters_path = parts_.identity.counters_path;
  if (door_->try_send(wire::write_door(hello)) != link::DoorCall::Status::done) {
    door_.reset();
    return;
  }
  door_descriptor.publish(door_->wait_descriptor());
  greeting_until_ = now + std::chrono::nanoseconds(parts_.config.node.handshake).count();
  check_door_ = true;
  set_state(SessionState::greeting);
}

void Session::poll_door(base::Nanos now) {
  check_door_ = false;
  while (door_) {
    const link::DoorCall::Status status = door_->try_receive(datagram_);
    if (status == link::DoorCall::Status::closed) {
      // What the node had sent before is still taken.
      while (link_ && receive(now) > 0) {
      }
      if (door_) lose_node(now);
      return;
    }
    if (status == link::DoorCall::Status::empty) break;
    on_datagram(now);
  }
  if (state.hint() == SessionState::greeting && now >= greeting_until_) lose_node(now);
}

void Session::on_datagram(base::Nanos now) {
  wire::DoorHead head;
  if (wire::read_door_head(datagram_, head) != wire::Reject::none) return lose_node(now);
  if (head.kind == wire::DoorKind::welcome && state.hint() == SessionState::greeting) {
    wire::DoorWelcome welcome;
    if (wire::read_door(datagram_, welcome) != wire::Reject::none) return lose_node(now);
    return on_welcome(welcome, now);
  }
  if (head.kind == wire::DoorKind::welcome && link_ && !said_goodbye_) {
    wire::DoorWelcome welcome;
    if (wire::read_door(datagram_, welcome) != wire::Reject::none) return lose_node(now);
    return move_link(welcome, now);
  }
  if (head.kind == wire::DoorKind::refusal) {
    wire::DoorRefusal refused;
    if (wire::read_door(datagram_, refused) != wire::Reject::none) return lose_node(now);
    return on_refusal(refused, now);
  }
}

void Session::on_refusal(const wire::DoorRefusal& refused, base::Nanos now) {
  note_refusal(refused.error, refused.text);
  lose_node(now);
  // A node that holds our name for a link that is only now being given up lets us in later.
  if (is_final(refused.error) && node_epoch.hint() == 0) abandon();
}

void Session::note_refusal(std::uint16_t error, std::string_view text) {
  refusal_text_ = text;
  refusal.publish(error);
  refusals_full.publish(is_full(error) ? refusals_full.hint() + 1 : 0);
}

void Session::on_welcome(const wire::DoorWelcome& welcome, base::Nanos now) {
  link::Secret secret;
  if (welcome.secret.size() != secret.size() || welcome.token.size() != 16) return lose_node(now);
  std::copy(welcome.secret.begin(), welcome.secret.end(), secret.begin());
  auto opened = parts_.network.connect(welcome.endpoint, secret);
  if (!opened.ok()) {
    note_refusal(static_cast<std::uint16_t>(opened.error()), opened.failure().detail);
    return lose_node(now);
  }
  link_ = std::move(opened).value();
  previous_door_.reset();
  may_have_input_ = true;
  link_descriptor.publish(link_->wait_descriptor());
  std::array<std::uint32_t, 3> windows{parts_.config.link.window_high_bytes,
                                       parts_.config.link.window_normal_bytes,
                                       parts_.config.link.window_bulk_bytes};
  for (std::size_t index = 0; index < welcome.window_bytes.size() && index < 3; ++index)
    windows[index] = welcome.window_bytes[index];
  flow_.emplace(windows);
  probe_ = {};
  const bool same_node = welcome.node_id == node_id_ && welcome.node_epoch == node_epoch.hint() &&
                         welcome.agent_id == agent_id.hint();
  const bool same_identity = welcome.node_id == node_id_ && welcome.agent_id == agent_id.hint();
  token_ = welcome.token;
  session_epoch_ = welcome.session_epoch;
  agent_id.publish(welcome.agent_id);
  if (!same_identity && node_id_ != 0) {
    // Sealed batches carry the old identity; no node would take them.
    for (auto& stream : streams_) {
      if (!stream) continue;
      stream->unknown += stream->last_seq - stream->accepted_seq;
      stream->accepted_seq = stream->last_seq;
      stream->drop_sealed();
      if (stream->retained) forget_retained(*stream);
    }
  }
  node_id_ = welcome.node_id;
  begin_epoch(same_node);
  node_epoch.publish(welcome.node_epoch);
  links_opened.publish(links_opened.hint() + 1);
  back_off_ = 0;
  refusal.publish(0);
  refusals_full.publish(0);
  set_state(is_leaving_ ? SessionState::leaving : SessionState::live);
}

// The node has another link for this session: as if the one it has was lost, but that what came
// over it is taken first, and nobody waits.
void Session::move_link(const wire::DoorWelcome& welcome, base::Nanos now) {
  while (link_ && receive(now) > 0) {
  }
  if (link_) on_welcome(welcome, now);
}

// Everything is registered again.
void Session::begin_epoch(bool same_node) {
  unsent_.clear();
  builder_.clear();
  load_ = {};
  told_leaving_ = said_goodbye_ = false;
  while (!same_node && !refusals_.is_empty()) refusals_.pop_front();
  refusals_untold_ = refusals_.count();
  for (auto& stream : streams_) {
    if (!stream) continue;
    stream->is_advertised = false;
    stream->needs_advertise = true;
    stream->limit_seq = stream->limit_bytes = stream->sent_bytes = 0;
    stream->wanted_seq = stream->flush_told = stream->receipts_told = 0;
    if (stream->has_question()) list_question(*stream);
    stream->drop_restored();
    stream->needs_restore = stream->retained && (stream->needs_restore || !same_node);
    if (!same_node) lose_receipts(*stream);
    // Nothing goes before Credit has told what the node has.
    stream->unsent = stream->sealed.count();
    stream->awaits_position = true;
    // Until the node has answered: what was told may have been lost with the link.
    stream->returns = stream->returns || (!same_node && stream->was_open);
    stream->awaits_returns = stream->awaits_returns || stream->returns;
    for (std::size_t index = 0; index < stream->sealed.count(); ++index) {
      SealedBatch& batch = stream->sealed.at(index);
      batch.is_counted = false;
      batch.may_repeat = batch.may_repeat || (!same_node && batch.is_sent);
    }
    if (stream->news->state.hint() == StreamState::open)
      stream->news->state.publish(StreamState::advertising);
  }
  for (auto& subscription : subscriptions_) {
    if (!subscription) continue;
    if (subscription->needs_unsubscribe && !same_node) {
      end_subscription(*subscription, SubscriptionState::gone);
      continue;
    }
    // What a node has ended or refused stays so: its owner was told, and no node is to hear of it.
    const bool is_over = subscription->state.hint() > SubscriptionState::live;
    if (is_over && !subscription->needs_unsubscribe) continue;
    // Also where an answer may have been lost with the link: to Subscribe, or to Unsubscribe.
    subscription->resumes = same_node && (subscription->needs_unsubscribe ||
                                          subscription->state.hint() <= SubscriptionState::live);
    if (!same_node && subscription->state.hint() == SubscriptionState::live)
      subscription->returns = true;  // until the node has answered
    subscription->needs_subscribe = true;
    // What was told may have been lost with the link.
    for (SubscriptionCore::Line& line : subscription->lines) line.told = {};
    if (subscription->resumes) {
      subscription->lease_words.say_again();
      list_words(*subscription);
      if (!subscription->is_unsettled) unsettled_.push_back(subscription.get());
      subscription->is_unsettled = true;
      continue;
    }
    ++subscription->generation;
    subscription->forget_numbers();
  }
  registrations_changed_ = true;
  for (std::size_t lane = 0; lane < wire::data_lanes; ++lane) set_knock_level(lane, 0);
  update_knocks(true);
}

void Session::lose_node(base::Nanos now) {
  door_.reset();
  previous_door_.reset();
  lose_link(now);
}

void Session::lose_link(base::Nanos now) {
  link_descriptor.publish(-1);
  door_descriptor.publish(-1);
  link_.reset();
  if (door_) previous_door_ = std::move(door_);
  unsent_.clear();
  if (said_goodbye_) return set_state(SessionState::closed);
  retry_at_ = now + std::max(back_off_, base::Nanos{1} * base::millisecond);
  if (state.hint() != SessionState::closed) set_state(SessionState::down);
}

}  // namespace abuzz::client
