#include "bus/client/lease_desk.hpp"

#include <utility>

#include "bus/client/agent_core.hpp"

namespace abuzz::client {

LeaseDesk::LeaseDesk(AgentCore& agent, std::weak_ptr<AgentCore> owner,
                     std::weak_ptr<SubscriptionCore> subscription, base::Nanos timeout,
                     bool is_shared)
    : agent_(agent),
      owner_(std::move(owner)),
      subscription_(std::move(subscription)),
      timeout_(timeout),
      is_shared_(is_shared) {}

base::Nanos LeaseDesk::deadline() const noexcept {
  return base::moment_after(agent_.clock().now(), timeout_);
}

bool LeaseDesk::is_same(const Place& left, const Place& right) noexcept {
  return left.delivery == right.delivery && left.lane == right.lane &&
         left.generation == right.generation;
}

// The lease of a message in its handler, who may have extended it.
// Where there are several handlers, each with one in hand, the node alone knows.
bool LeaseDesk::has_lapsed(const Place& place) const noexcept {
  if (is_shared_) return false;
  const base::Nanos deadline = is_same(place, extended_) ? extended_.deadline : place.deadline;
  return agent_.clock().now() >= deadline;
}

// HOT: consumer, once a message.
LeaseStatus LeaseDesk::ack(const Place& place) {
  if (has_lapsed(place)) return LeaseStatus::not_leased;
  if (is_shared_) return tell(agent_, place, wire::LeaseWord::ack, 0, 1);
  const bool follows = count_ > 0 && place.delivery == first_.delivery + count_ &&
                       place.lane == first_.lane && place.generation == first_.generation;
  if (!follows) {
    flush();
    first_ = place;
  }
  ++count_;
  return LeaseStatus::told;
}

void LeaseDesk::flush() {
  if (count_ == 0) return;
  (void)tell(agent_, first_, wire::LeaseWord::ack, 0, std::exchange(count_, 0));
}

LeaseStatus LeaseDesk::say(const Place& place, wire::LeaseWord word, std::uint32_t delay_ms) {
  if (has_lapsed(place)) return LeaseStatus::not_leased;
  const LeaseStatus status = tell(agent_, place, word, delay_ms, 1);
  if (!is_shared_ && status == LeaseStatus::told && word == wire::LeaseWord::in_progress) {
    extended_ = place;
    extended_.deadline = deadline();
  }
  return status;
}

LeaseStatus LeaseDesk::say_later(const Place& place, wire::LeaseWord word, std::uint32_t delay_ms) {
  const std::shared_ptr<AgentCore> agent = owner_.lock();
  if (!agent || agent->is_closed()) return LeaseStatus::closed;
  if (agent->clock().now() >= place.deadline) return LeaseStatus::not_leased;
  return tell(*agent, place, word, delay_ms, 1);
}

bool LeaseDesk::is_over(const Place& place) const noexcept {
  const std::shared_ptr<AgentCore> agent = owner_.lock();
  if (!agent || agent->is_closed() || agent->clock().now() >= place.deadline) return true;
  const std::shared_ptr<SubscriptionCore> subscription = subscription_.lock();
  return !subscription || subscription->counted_generation.read() != place.generation;
}

LeaseStatus LeaseDesk::tell(AgentCore& agent, const Place& place, wire::LeaseWord word,
                            std::uint32_t delay_ms, std::uint32_t count) {
  const std::shared_ptr<SubscriptionCore> subscription = subscription_.lock();
  if (!subscription) return LeaseStatus::closed;
  wire::LeaseAct act;
  act.kind = word;
  act.lane = place.lane;
  act.first_delivery = place.delivery;
  act.count = count;
  act.delay_ms = delay_ms;
  bool is_taken = false;
  agent.inside([&](Session& session) {
    is_taken = session.add_lease_act(*subscription, place.generation, act);
  });
  return is_taken ? LeaseStatus::told : LeaseStatus::not_leased;
}

}  // namespace abuzz::client
