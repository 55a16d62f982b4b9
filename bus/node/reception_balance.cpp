#include <algorithm>
#include <utility>

#include "bus/node/reception.hpp"

// What the balancer is told, and what it says is done. An idle node is not sampled: the first shard
// that has something to do says so.

namespace abuzz::node {
namespace {

// Of the time; below it there is nothing to balance.
constexpr double idle_share = 0.01;
// A sample that covers more than this is an average over a pause.
constexpr base::Nanos span_max = 3 * place::Balancer::interval;

}  // namespace

std::size_t Reception::take_samples() {
  if (sample_at_ == 0 || now_ < sample_at_ || samples_awaited_ > 0) return 0;
  sample_at_ = 0;
  sample_span_ = std::max<base::Nanos>(now_ - sampled_at_, 1);
  sampled_at_ = now_;
  samples_awaited_ = posts_.size();
  for (std::uint32_t shard = 0; shard < posts_.size(); ++shard) {
    ShardOrder order;
    order.kind = ShardOrder::Kind::sample;
    post(shard, std::move(order));
  }
  return posts_.size();
}

void Reception::hear_sample(std::uint32_t shard, const ShardReport& report) {
  if (report.kind == ShardReport::Kind::busy) {
    const bool is_on = sample_at_ != 0 || samples_awaited_ > 0;
    if (!is_on && phase_ == Phase::open) sample_at_ = now_;
    return;
  }
  const double span = static_cast<double>(sample_span_);
  samples_[shard].busy = std::min(1.0, static_cast<double>(report.busy_ns) / span);
  samples_[shard].waited = std::min(1.0, static_cast<double>(report.waited_ns) / span);
  samples_[shard].cache = parts_.places[shard].cache;
  if (--samples_awaited_ == 0) balance();
}

void Reception::balance() {
  double busy = 0;
  for (const place::Balancer::ShardSample& sample : samples_) busy += sample.busy;
  std::vector<place::Balancer::AgentSample> agents;
  for (const SessionId id : guests_.ids()) {
    Guest& guest = *guests_.find(id);
    const bool may_move = guest.state == GuestState::live && guest.next_link == 0;
    agents.push_back({id, guest.shard, std::exchange(guest.work, 0), guest.moved_at, may_move});
  }
  const bool is_pause = sample_span_ > span_max;
  if (phase_ == Phase::open && (busy > idle_share || is_pause))
    sample_at_ = now_ + place::Balancer::interval;
  if (is_pause) return;
  for (const place::Balancer::Move& step : balancer_.decide(samples_, agents, now_)) {
    const Guest& guest = *guests_.find(step.agent);
    if (move(guest.name, step.to, step.reason))
      tell(LogLevel::debug, guest,
           "moves to shard " + std::to_string(step.to) + ": " + step.reason);
  }
}

}  // namespace abuzz::node
