#include "bus/delivery/switch.hpp"

// What has to be looked at from time to time. Of many agents some at a time, so that no message
// waits for all of it.

namespace abuzz::delivery {

namespace {

constexpr base::Nanos slow_news_interval = 50 * base::millisecond;
// Ports, publications and subscriptions that are looked at in one go: tens of microseconds.
constexpr std::size_t objects_per_slice = 256;
// An agent that is back registers again what it has. What it does not name by then it has given up,
// and the word of it was lost with the link.
constexpr base::Nanos registration_patience = 10 * base::second;

// Past its limit. Credit that goes round among publishers while nothing waits to be consumed is not
// the subscriber's fault.
bool has_stalled(Subscription& subscription, base::Nanos now) noexcept {
  if (subscription.backlog.messages == 0 && subscription.backlog.bytes == 0)
    subscription.blocked_since = 0;
  return subscription.blocked_since != 0 && subscription.policy == Policy::lossless &&
         now - subscription.blocked_since > subscription.stall_limit;
}

}  // namespace

// What stands in the queue, for people to see. Counted from the queue itself, so that a pair that
// believes otherwise is found out.
void Switch::show_queue(Subscription& subscription) {
  std::size_t batches = 0;
  for (const Line& line : subscription.lines)
    batches += line.queue.count() + line.in_flight.count();
  if (subscription.is_own_of_group())
    batches += subscription.group->leased + subscription.group->delays.count();
  if (batches == 0 && subscription.batches_shown == 0) return;
  subscription.batches_shown = batches;
  StatsRow& row = *subscription.row;
  row.set(SubscriptionCounter::queued_batches, batches);
  row.set(SubscriptionCounter::queued_messages, subscription.queued.messages);
  row.set(SubscriptionCounter::queued_bytes, subscription.queued.bytes);
}

void Switch::end_forgotten(Port& port) {
  if (port.id == own_port_ || port.suspended_since != 0 ||
      now_ - port.resumed_at < registration_patience)
    return;
  for (auto& publication : port.publications)
    if (publication && publication->is_paused) end_publication(*publication);
}

void Switch::do_timers(base::Nanos now) {
  now_ = now;
  if (now >= slow_news_at_) {
    slow_news_at_ = now + slow_news_interval;
    announce_waiting();
    if (returns_.expire(now)) go_on_after_returns();
    look_at_groups();
    if (retained_.is_expiring()) retained_.expire(now);
    while (!tombstones_.empty() && now - tombstones_.front().since > 60 * base::second)
      tombstones_.pop_front();
    if (sweep_.empty())
      for (const auto& [id, port] : ports_) sweep_.push_back(id);
  }
  sweep_some();
}

void Switch::sweep_some() {
  for (std::size_t left = objects_per_slice; left > 0 && !sweep_.empty(); --left) {
    Port* port = find_port(sweep_.back());
    if (port != nullptr) {
      if (sweep_next_ == 0) end_forgotten(*port);
      if (!sweep_port(*port, left)) return;
      if (port->suspended_since != 0 && now_ - port->suspended_since > return_patience)
        close_port(port->id, DropReason::peer_gone);
    }
    sweep_.pop_back();
    sweep_next_ = 0;
  }
}

// False when there is more of it than may be looked at now. Handles that come or go meanwhile shift
// what follows: one may be looked at twice, or not before the next time.
bool Switch::sweep_port(Port& port, std::size_t& left) {
  const std::size_t publications = port.publications.size();
  for (; sweep_next_ < publications + port.subscriptions.size(); ++sweep_next_) {
    if (--left == 0) return false;
    if (sweep_next_ < publications) {
      if (auto& publication = port.publications[sweep_next_]) look_at(*publication);
    } else if (auto& subscription = port.subscriptions[sweep_next_ - publications]) {
      look_at(*subscription);
    }
  }
  return true;
}

void Switch::look_at(Publication& publication) {
  if (publication.awaits_returns > 0) update_limit(publication);
  if (publication.accepted_seq != publication.accepted_told ||
      publication.settled_seq != publication.settled_told ||
      publication.outcomes() != publication.outcome_told)
    note(publication);
}

void Switch::look_at(Subscription& subscription) {
  expire(subscription);
  free_idle_credit(subscription);
  show_queue(subscription);
  if (subscription.group != nullptr || subscription.port->suspended_since != 0 ||
      !has_stalled(subscription, now_))
    return;
  subscription.row->add(SubscriptionCounter::stalls);
  end_subscription(subscription, DropReason::peer_gone, true);
}

}  // namespace abuzz::delivery
