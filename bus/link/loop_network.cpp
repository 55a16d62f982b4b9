#include "bus/link/loop_network.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "bus/link/loop_state.hpp"

namespace abuzz::link {

namespace {

constexpr std::string_view scheme = "loop://";

base::Nanos earlier(base::Nanos left, base::Nanos right) noexcept {
  if (left < 0) return right;
  if (right < 0) return left;
  return std::min(left, right);
}

}  // namespace

namespace detail {

void clear_frames(Stream<Frame>& stream) noexcept {
  while (!stream.entries.empty()) {
    stream.entries.front().item.clear();
    stream.entries.pop();
  }
}

void LoopLinkPipe::cut() noexcept {
  link_open = false;
  hub_open = false;
  clear_frames(to_hub);
  clear_frames(to_link);
}

}  // namespace detail

base::Nanos LoopNetwork::State::draw_due() {
  base::Nanos delay = faults.delay_min;
  if (faults.delay_max > faults.delay_min) {
    const auto width = static_cast<std::uint64_t>(faults.delay_max - faults.delay_min) + 1;
    delay += static_cast<base::Nanos>(random.below(width));
  }
  return clock.now() + delay;
}

bool LoopNetwork::State::draw_loss() {
  return faults.lose_one_in > 0 && random.below(faults.lose_one_in) == 0;
}

LoopNetwork::LoopNetwork(base::Clock& clock, std::uint64_t seed, bool locked)
    : state_(std::make_shared<State>(clock, seed, locked)) {}

LoopNetwork::~LoopNetwork() = default;

void LoopNetwork::set_faults(const Faults& faults) {
  const auto lock = state_->lock();
  state_->faults = faults;
}

Result<std::unique_ptr<DoorListener>> LoopNetwork::listen() {
  const auto lock = state_->lock();
  if (state_->door != nullptr) return Failure{Error::node_already_running, "loop"};
  return detail::make_loop_listener(state_);
}

Result<std::unique_ptr<Hub>> LoopNetwork::bind(std::string_view name) {
  const auto lock = state_->lock();
  std::string endpoint = std::string(scheme).append(name);
  for (const detail::LoopHubState* hub : state_->hubs) {
    if (hub->endpoint == endpoint) return Failure{Error::node_already_running, endpoint};
  }
  return detail::make_loop_hub(state_, std::move(endpoint));
}

Result<std::unique_ptr<DoorCall>> LoopNetwork::call() {
  const auto lock = state_->lock();
  if (state_->door == nullptr) return Failure{Error::no_node, "loop"};
  return detail::make_loop_call(state_);
}

Result<std::unique_ptr<Link>> LoopNetwork::connect(std::string_view endpoint,
                                                   const Secret& secret) {
  const auto lock = state_->lock();
  if (!endpoint.starts_with(scheme)) {
    return Failure{Error::config_bad_value, "endpoint " + std::string(endpoint)};
  }
  return detail::make_loop_link(state_, endpoint, secret);
}

void LoopNetwork::cut_links() {
  const auto lock = state_->lock();
  for (const auto& weak : state_->pipes) {
    if (const auto pipe = weak.lock()) pipe->cut();
  }
  state_->pipes.clear();
}

base::Nanos LoopNetwork::next_event() const {
  const auto lock = state_->lock();
  const base::Nanos now = state_->clock.now();
  base::Nanos next = -1;
  for (const auto& weak : state_->pipes) {
    const auto pipe = weak.lock();
    if (pipe == nullptr) continue;
    if (pipe->link_open) next = earlier(next, pipe->to_link.next_due(now));
    if (!pipe->hub_open) continue;
    next = earlier(next, pipe->to_hub.next_due(now));
    if (pipe->greeting_due > now) next = earlier(next, pipe->greeting_due);
  }
  for (const auto& weak : state_->visits) {
    const auto visit = weak.lock();
    if (visit == nullptr) continue;
    if (visit->agent_open) next = earlier(next, visit->to_agent.next_due(now));
    if (visit->node_open) next = earlier(next, visit->to_node.next_due(now));
  }
  return next;
}

}  // namespace abuzz::link
