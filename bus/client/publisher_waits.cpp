#include <algorithm>
#include <utility>

#include "bus/client/agent_core.hpp"
#include "bus/client/publisher_core.hpp"

// Waiting: for room, for what became of what was published, for receipts.

namespace abuzz::client {

namespace {

constexpr base::Nanos memory_look_again = base::millisecond;

}  // namespace

SendStatus PublisherCore::publish(std::span<const std::byte> payload, base::Nanos patience,
                                  const MessageOptions& options) {
  const base::Nanos deadline = base::moment_after(agent_->clock().now(), patience);
  while (true) {
    const AgentCore::Key key = agent_->prepare_wait();
    const SendStatus status = try_publish(payload, options);
    if (status != SendStatus::back_pressured) {
      agent_->cancel_wait();
      return status;
    }
    // Where memory was all that was missing there is no news to wait for: whoever maintains the
    // pool makes some, or blocks come back.
    if (std::exchange(has_missed_, false)) {
      const bool has_grown = agent_->maintain_pool() > 0;
      const base::Nanos now = agent_->clock().now();
      if (has_grown)
        agent_->cancel_wait();
      else
        agent_->wait_for_news(key, std::min(deadline, now + memory_look_again));
      if (now >= deadline || agent_->is_closed()) return SendStatus::back_pressured;
      continue;
    }
    if (!await_room(key, payload.size(), deadline)) return SendStatus::back_pressured;
  }
}

// Woken for each batch that is sealed, it would find room for little and soon wait again: it sleeps
// until half of what may be staged is sealed, or as much as the message needs.
bool PublisherCore::await_room(std::uint32_t key, std::size_t payload_bytes, base::Nanos deadline) {
  const std::uint64_t staged = pushed_bytes_ - news_->sealed_bytes.read();
  if (staged == 0 || staged + payload_bytes <= staged_bytes_max)
    return agent_->wait_for_news(key, deadline);  // for something else than room
  const std::uint64_t left = std::min<std::uint64_t>(
      staged_bytes_max / 2,
      staged_bytes_max - std::min<std::uint64_t>(payload_bytes, staged_bytes_max));
  news_->room_at.publish_fenced(pushed_bytes_ - left);
  bool goes_on = true;
  if (news_->sealed_bytes.read_fenced() >= pushed_bytes_ - left)
    agent_->cancel_wait();
  else
    goes_on = agent_->wait_for_news(key, deadline);
  news_->room_at.publish(0);
  return goes_on;
}

FlushReport PublisherCore::report() const noexcept {
  FlushReport report;
  report.delivered = news_->delivered.read();
  report.no_subscriber = news_->no_subscriber.read();
  report.dropped = news_->dropped.read();
  report.unknown = news_->unknown.read();
  for (std::size_t reason = 0; reason < drop_reason_count; ++reason)
    report.dropped_by[reason] = news_->dropped_by[reason].read();
  const std::uint64_t known =
      report.delivered + report.no_subscriber + report.dropped + report.unknown;
  report.pending = pushed_ > known ? pushed_ - known : 0;
  return report;
}

FlushReport PublisherCore::flush(base::Nanos patience) {
  const base::Nanos deadline = base::moment_after(agent_->clock().now(), patience);
  agent_->inside([&](Session& session) { session.ask_outcomes(stream_, pushed_); });
  while (true) {
    const AgentCore::Key key = agent_->prepare_wait();
    const FlushReport now = report();
    if (now.pending == 0 || agent_->is_closed()) {
      agent_->cancel_wait();
      return now;
    }
    if (!agent_->wait_for_news(key, deadline)) return report();
  }
}

Receipt PublisherCore::receipt(std::uint64_t sequence) {
  Receipt receipt;
  if (sequence == 0 || sequence > pushed_) return receipt;
  agent_->inside([&](Session& session) { receipt = session.receipt(stream_, sequence); });
  return receipt;
}

Receipt PublisherCore::await_receipt(std::uint64_t sequence, base::Nanos patience) {
  const base::Nanos deadline = base::moment_after(agent_->clock().now(), patience);
  agent_->step_now();
  while (true) {
    const AgentCore::Key key = agent_->prepare_wait();
    const Receipt now = receipt(sequence);
    if (now.outcome != ReceiptOutcome::pending || agent_->is_closed()) {
      agent_->cancel_wait();
      return now;
    }
    if (!agent_->wait_for_news(key, deadline)) return receipt(sequence);
  }
}

Receipt PublisherCore::retry(std::uint64_t sequence) {
  Receipt receipt;
  if (sequence == 0 || sequence > pushed_) return receipt;
  agent_->inside([&](Session& session) { receipt = session.retry_receipt(stream_, sequence); });
  return receipt;
}

}  // namespace abuzz::client
